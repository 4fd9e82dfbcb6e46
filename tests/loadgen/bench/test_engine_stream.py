"""The smallest size of the bench of the engine's stream from Python."""

from __future__ import annotations

from loadgen.bench.engine_stream import Size, measure


def test_every_order_of_a_stream_from_python_is_sequenced_whichever_client_sends_it() -> None:
    figures = measure(Size(orders=1_000, per_message=64, in_flight=2, repetitions=1))
    assert set(figures) == {"python_stream_orders_per_s", "python_grpcio_stream_orders_per_s"}
    assert all(rate > 0 for rate in figures.values())
