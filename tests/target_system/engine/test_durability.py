"""What was answered is never lost or changed: repeats, kill -9, torn ends, damage, a replay that agrees."""

from __future__ import annotations

import contextlib
import struct
import subprocess
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc

from deploy.install import engine as installed
from target_system.proto import engine_pb2 as pb
from tests.target_system.engine.server import EngineServer, command_line, new

Start = Callable[..., EngineServer]


def orders(count: int, first: int = 0) -> Iterator[pb.Command]:
    """Orders that trade with each other, the same for the same number."""
    for number in range(first, first + count):
        side = pb.BUY if number % 3 else pb.SELL
        yield new(side, 100 + number * 7 % 5, 1 + number % 9, f"o{number}", account=number % 4, request=number)


def batches(count: int, size: int) -> Iterator[pb.CommandBatch]:
    for number in range(count):
        yield pb.CommandBatch(commands=orders(size, number * size))


def bare(result: pb.Result) -> bytes:
    """A result without what differs when it is given again."""
    copy = pb.Result()
    copy.CopyFrom(result)
    for name in ("request", "timing", "command", "repeated_command"):
        copy.ClearField(name)
    return copy.SerializeToString(deterministic=True)


def test_a_repeat_gets_the_first_result_and_takes_no_sequence_number(engine: EngineServer) -> None:
    first = engine.submit(new(pb.BUY, 100, 10, "mine", request=1))
    engine.sell(100, 4)
    repeat = engine.submit(new(pb.SELL, 555, 1, "mine", request=2))
    assert bare(repeat) == bare(first)
    assert (repeat.repeated_command, repeat.request) == (True, 2)
    assert (repeat.command.side, repeat.command.price_ticks) == (pb.BUY, 100)
    assert engine.submit(new(pb.BUY, 100, 10, "mine", account=2)).sequence == 3


def test_a_repeat_in_the_same_message_gets_the_first_result(engine: EngineServer) -> None:
    twice = [new(pb.BUY, 100, 10, "mine", request=1), new(pb.BUY, 100, 10, "mine", request=2)]
    first, second = engine.stream([pb.CommandBatch(commands=twice)])
    assert (first.sequence, second.sequence, second.repeated_command) == (1, 1, True)


def test_results_of_a_stream_come_in_the_order_of_its_commands(engine: EngineServer) -> None:
    results = engine.stream(batches(50, 20))
    assert [result.request for result in results] == list(range(1000))
    assert [result.sequence for result in results] == list(range(1, 1001))


def test_what_was_answered_before_a_kill_is_there_after_it(start: Start) -> None:
    engine = start()
    answered: list[pb.Result] = []
    for batch in engine.stub.Stream(batches(200, 20), timeout=20):
        answered += batch.results
        if len(answered) >= 500:
            engine.kill()
            break
    again = start()
    status = again.status()
    assert status.last_sequence >= answered[-1].sequence
    stored = again.results(1, answered[-1].sequence)
    assert [bare(result) for result in stored] == [bare(result) for result in answered]
    repeat = again.submit(next(orders(1, 17)))
    assert (repeat.repeated_command, bare(repeat)) == (True, bare(answered[17]))
    summary, lines, _ = again.replay()
    assert (summary["trade_hash"], len(lines)) == (f"{status.trade_hash:016x}", status.last_sequence)


def test_a_run_broken_by_kills_gives_the_same_trades_as_one_that_is_not(start: Start, tmp_path: Path) -> None:
    engine = start()
    for part in range(3):
        engine.stream([pb.CommandBatch(commands=orders(100, part * 100))])
        engine.kill()
        engine = start()
    whole = EngineServer.start(engine.binaries, tmp_path / "other")
    whole.stream([pb.CommandBatch(commands=orders(300))])
    assert engine.status() == whole.status()
    assert engine.dump() == whole.dump()
    whole.close()


def test_a_torn_end_is_cut_at_the_last_whole_record_and_said(start: Start) -> None:
    engine = start()
    engine.stream(batches(1, 20))
    engine.kill()
    journal = engine.journal / "journal.log"
    whole = journal.read_bytes()
    journal.write_bytes(whole + whole[-30:])
    again = start()
    cut = next(event for event in again.events if event["event"] == "journal_torn_tail_cut")
    assert (cut["offset"], cut["bytes_cut"], cut["last_sequence"]) == (len(whole), 30, 20)
    assert journal.read_bytes() == whole
    assert again.buy(50, 1).sequence == 21


def test_a_damaged_record_stops_the_engine_with_its_offset(start: Start) -> None:
    engine = start()
    engine.stream(batches(1, 20))
    assert engine.terminate() == 0
    journal = engine.journal / "journal.log"
    damaged = bytearray(journal.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    journal.write_bytes(damaged)
    done = subprocess.run(command_line(engine.binaries, engine.journal), capture_output=True, text=True, timeout=20)
    assert done.returncode == 3
    assert "journal_damaged" in done.stdout
    assert "journal.log: byte " in done.stdout
    assert journal.read_bytes() == damaged
    replay = subprocess.run(
        [str(engine.binaries / "engine-replay"), "--journal", str(engine.journal)], capture_output=True, timeout=20
    )
    assert replay.returncode == 3


def test_results_and_replay_agree_on_everything(engine: EngineServer) -> None:
    engine.stream(batches(5, 40))
    engine.cancel(engine.buy(10, 3).order_id)
    status = engine.status()
    summary, lines, books = engine.replay()
    assert summary["trades"] == status.last_trade_id
    assert summary["trade_hash"] == f"{status.trade_hash:016x}"
    for stored, line in zip(engine.results(1, 4096), lines, strict=True):
        assert (stored.sequence, stored.order_id, stored.filled_lots) == (
            line["sequence"],
            line["order_id"],
            line["filled_lots"],
        )
        assert pb.Outcome.Name(stored.outcome).lower() == line["outcome"]
        assert stored.command.client_order_id == line["command"]["client_order_id"]
        assert [fill.trade_id for fill in stored.fills] == [fill["trade_id"] for fill in line["fills"]]
    live = [(order.order_id, order.price_ticks, order.quantity_lots) for order in engine.dump()]
    assert [(o["order_id"], o["price_ticks"], o["quantity_lots"]) for o in books["orders"]] == live


def test_two_engines_cannot_have_one_journal(engine: EngineServer) -> None:
    second = subprocess.run(command_line(engine.binaries, engine.journal), capture_output=True, text=True, timeout=20)
    assert second.returncode == 1
    assert "another engine" in second.stdout


def test_a_journal_is_refused_under_other_limits(start: Start) -> None:
    engine = start()
    engine.buy(100, 1)
    engine.terminate()
    other = command_line(engine.binaries, engine.journal, price_max=500)
    done = subprocess.run(other, capture_output=True, text=True, timeout=20)
    assert done.returncode == 2
    assert "--price-max 200000" in done.stdout


def test_every_bad_flag_is_named_at_once(binaries: Path) -> None:
    command = [str(binaries / "engine"), "--listen", "nowhere", "--price-min", "x", "--symbols", "A,,A", "--wat", "1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20)
    assert done.returncode == 2
    for flag in ("--listen", "--price-min", "--symbols", "--wat", "--journal", "--metrics"):
        assert flag in done.stderr


def test_when_told_to_stop_it_answers_what_it_took_and_exits_clean(start: Start) -> None:
    engine = start()
    results = engine.stub.Stream(batches(300, 64), timeout=20)
    received = list(next(results).results)
    code = engine.terminate()
    with contextlib.suppress(grpc.RpcError):  # UNAVAILABLE: what was not read any more did not happen
        for batch in results:
            received += batch.results
    assert code == 0
    assert results.code() in (grpc.StatusCode.OK, grpc.StatusCode.UNAVAILABLE)
    refused = [result for result in received if result.outcome == pb.NOT_SEQUENCED]
    assert {result.reason for result in refused} <= {pb.SHUTTING_DOWN}
    sequenced = [result.sequence for result in received if result.outcome != pb.NOT_SEQUENCED]
    assert sequenced == list(range(1, len(sequenced) + 1))
    assert engine.events[-1]["event"] == "stopped"
    assert start().status().last_sequence == len(sequenced)


def test_a_full_queue_refuses_at_once_and_the_command_did_not_happen(start: Start) -> None:
    engine = start(queue=10)
    refused = engine.stream(batches(1, 11))
    assert {(result.outcome, result.reason) for result in refused} == {(pb.NOT_SEQUENCED, pb.QUEUE_FULL)}
    assert engine.status().last_sequence == 0
    assert engine.stream(batches(1, 10))[0].sequence == 1


def test_when_the_ids_are_used_up_new_commands_are_refused_and_repeats_answered(start: Start) -> None:
    engine = start(max_ids=2)
    engine.stream([pb.CommandBatch(commands=orders(2))])
    over, known = engine.stream([pb.CommandBatch(commands=[*orders(1, 2), *orders(1, 1)])])
    assert (over.outcome, over.reason) == (pb.NOT_SEQUENCED, pb.ID_LIMIT_REACHED)
    assert (known.sequence, known.repeated_command) == (2, True)


def test_metrics_count_what_happened(engine: EngineServer) -> None:
    engine.sell(100, 5)
    engine.buy(100, 5)
    engine.buy(999_999, 1)
    url = f"http://127.0.0.1:{engine.events[-1]['metrics_port']}/metrics"
    page = urllib.request.urlopen(url, timeout=10).read().decode()
    values = dict(line.rsplit(" ", 1) for line in page.splitlines() if not line.startswith("#"))
    assert float(values['engine_commands_total{kind="new",outcome="filled"}']) == 1
    assert float(values['engine_rejects_total{reason="price_out_of_range"}']) == 1
    assert float(values["engine_trades_total"]) == 1
    assert float(values["engine_synced_sequence"]) == 3
    assert float(values["engine_resting_orders"]) == 0
    assert float(values["engine_sync_batch_records_sum"]) == 3


def crc32c(data: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def journalled(data: bytes) -> Iterator[pb.Result]:
    """What the engine's README says a journal is, read by another language."""
    magic, version, header_size = struct.unpack_from("<8sII", data)
    assert (magic, version) == (b"LABJRNL\n", 1)
    at = header_size
    while at < len(data):
        size, checksum = struct.unpack_from("<II", data, at)
        payload = data[at + 8 : at + 8 + size]
        assert crc32c(struct.pack("<I", size) + payload) == checksum
        yield pb.Result.FromString(payload)
        at += 8 + size


def test_the_golden_journal_says_in_python_what_it_says_in_cpp() -> None:
    results = list(journalled((installed.SOURCES / "test" / "golden" / "journal.log").read_bytes()))
    assert [result.sequence for result in results] == [1, 2, 3, 4, 5]
    assert [result.command.client_order_id for result in results] == [f"order-{n}" for n in range(1, 6)]
    assert [(fill.maker_order_id, fill.price_ticks, fill.quantity_lots) for fill in results[1].fills] == [(1, 101, 1)]


def test_the_journal_holds_the_results_that_were_given(engine: EngineServer) -> None:
    given = engine.stream(batches(2, 30))
    stored = list(journalled((engine.journal / "journal.log").read_bytes()))
    assert [bare(result) for result in stored] == [bare(result) for result in given]


def test_a_clean_stop_leaves_a_snapshot_from_which_the_same_books_come_back(start: Start) -> None:
    engine = start()
    engine.stream(batches(5, 40))
    status, resting = engine.status(), engine.dump()
    assert engine.terminate() == 0
    again = start()
    replayed = next(event for event in again.events if event["event"] == "replayed")
    assert (replayed["from_snapshot"], replayed["commands"]) == (200, 200)
    assert (again.status(), again.dump()) == (status, resting)
    again.stream([pb.CommandBatch(commands=orders(100, 200))])
    assert again.replay()[0]["trade_hash"] == f"{again.status().trade_hash:016x}"
