"""Receipts become histograms from the intended send time and rows of the acknowledgement ledger."""

from __future__ import annotations

from pathlib import Path

from hdrh.histogram import HdrHistogram

from loadgen.http_client import Failure
from loadgen.latency import acknowledgements, histograms, read_receipts
from loadgen.receipts import FAILURES, OK, Kind, ReceiptFile, in_doubt, outcome_name, pack_receipt

FROM_NS = 1_700_000_000_000_000_000
MS = 1_000_000


def written(tmp_path: Path, rows: list[tuple[int, ...]], torn: bytes = b"") -> Path:
    path = tmp_path / "receipts"
    receipts = ReceiptFile(path)
    receipts.write(b"".join(pack_receipt(*row) for row in rows) + torn)
    receipts.close()
    return path


def row(
    number: int, due_ms: int, late_ms: int, took_ms: int, outcome: int = OK, kind: Kind = Kind.NEW
) -> tuple[int, ...]:
    due = FROM_NS + due_ms * MS
    sent = due + late_ms * MS
    return (
        3,
        number,
        11,
        kind,
        outcome,
        late_ms * MS,
        70 + number,
        90 + number if outcome == OK else 0,
        due,
        sent,
        sent + took_ms * MS,
    )


def test_latency_counts_from_the_intended_send_time_and_service_time_from_the_actual_one(tmp_path: Path) -> None:
    receipts = read_receipts(written(tmp_path, [row(1, 0, 30, 10), row(2, 5, 0, 10)]))
    rows = {r["measure"]: HdrHistogram.decode(r["histogram"]) for r in histograms("w", FROM_NS, receipts)}
    assert abs(rows["latency"].get_max_value() / MS - 40) < 0.1
    assert abs(rows["service"].get_max_value() / MS - 10) < 0.1
    assert rows["latency"].get_total_count() == rows["service"].get_total_count() == 2


def test_each_second_endpoint_and_outcome_has_a_histogram_of_its_own(tmp_path: Path) -> None:
    timeout = FAILURES[Failure.TIMEOUT]
    receipts = read_receipts(written(tmp_path, [
        row(1, -200, 0, 1), row(2, 100, 0, 1), row(3, 900, 0, 500), row(4, 1_100, 0, 1), row(5, 1_200, 0, 1, timeout),
        row(6, 1_300, 0, 1, 503), row(7, 1_400, 0, 1, OK, Kind.CANCEL),
    ]))  # fmt: skip
    found = {
        ((r["interval_start_ns"] - FROM_NS) // 10**9, r["endpoint"], r["outcome"]): r["count"]
        for r in histograms("w", FROM_NS, receipts)
        if r["measure"] == "latency"
    }
    new = "POST /v1/orders"
    assert found == {
        (-1, new, "ok"): 1, (0, new, "ok"): 2, (1, new, "ok"): 1, (1, new, "timeout"): 1, (1, new, "http_503"): 1,
        (1, "DELETE /v1/orders/{id}", "ok"): 1,
    }  # fmt: skip


def test_an_acknowledgement_has_the_identity_that_the_ledger_knows(tmp_path: Path) -> None:
    receipts = read_receipts(
        written(tmp_path, [row(1, 0, 2, 5), row(2, 9, 0, 5, OK, Kind.CANCEL), row(3, 9, 0, 5, 504)])
    )
    first, second, third = acknowledgements("gateways=1/1", "r-0", receipts).to_pylist()
    assert first == {
        "window": "gateways=1/1", "account": 11, "client_order_id": "r-0-3-1", "kind": "new", "order_id": 71,
        "sequence": 91, "outcome": "ok", "intended_ns": FROM_NS, "sent_ns": FROM_NS + 2 * MS,
        "answered_ns": FROM_NS + 7 * MS,
    }  # fmt: skip
    assert (second["client_order_id"], second["kind"]) == ("~c72", "cancel")
    assert (third["outcome"], third["sequence"]) == ("http_504", 0)


def test_a_receipt_torn_by_a_killed_generator_is_left_out(tmp_path: Path) -> None:
    assert len(read_receipts(written(tmp_path, [row(1, 0, 0, 1)], torn=b"torn"))) == 1


def test_a_window_without_any_request_has_no_histogram(tmp_path: Path) -> None:
    receipts = read_receipts(written(tmp_path, []))
    assert histograms("w", FROM_NS, receipts) == []
    assert acknowledgements("w", "r-0", receipts).num_rows == 0


def test_an_outcome_is_in_doubt_exactly_when_the_order_may_have_happened() -> None:
    codes = [OK, *FAILURES.values(), 400, 429, 500, 502, 503, 504]
    doubtful = {outcome_name(code) for code in codes if in_doubt(outcome_name(code))}
    assert doubtful == {"reset", "timeout", "protocol", "http_500", "http_502", "http_503", "http_504"}
