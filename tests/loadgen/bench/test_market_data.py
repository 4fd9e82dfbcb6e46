"""The smallest size of the comparison of streamed and polled market data."""

from __future__ import annotations

from pathlib import Path

from loadgen.bench.market_data import Size, measure


def test_streaming_and_polling_clients_see_the_trades_of_one_load(tmp_path: Path) -> None:
    said: list[str] = []
    figures = measure(Size(clients=2, rounds=1, seconds_each=3.0), tmp_path, said.append)
    assert [line.split(":")[0] for line in said] == ["stream", "polling"]
    assert all(
        figures[f"{kind}_{figure}"] > 0 for kind in ("stream", "polling") for figure in ("age_p50_ms", "cpu_cores")
    )
