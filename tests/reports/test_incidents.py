"""What became of each fault, from a run's events."""

from __future__ import annotations

from typing import Any

from reports.incidents import incidents


def event(at_s: float, kind: str, said: str = "", part: str = "gateway-1") -> dict[str, Any]:
    return {"t_ns": round(at_s * 1e9), "kind": kind, "part": part, "said": said, "log_end": ""}


HUNG = [
    event(1, "fired", "DiskFull"),
    event(10, "struck", "freeze"),
    event(13, "fired", "GatewayHung"),
    event(13.5, "paged", "GatewayHung"),
    event(15, "remedied", "restart: done"),
    event(17, "resolved", "GatewayHung"),
    event(20, "reverted", "freeze"),
]


def test_a_fault_has_its_times_to_detect_and_to_recover() -> None:
    (found,) = incidents(HUNG)
    assert (found["fault"], found["part"], found["alerts"], found["remedy"]) == (
        "freeze", "gateway-1", ["GatewayHung"], "restart: done",
    )  # fmt: skip
    times = [found[f"{name}_s"] for name in ("detected", "told", "remedied", "recovered", "reverted")]
    assert times == [3.0, 3.5, 5.0, 7.0, 10.0]


def test_an_alert_that_still_stands_is_no_recovery_and_what_comes_later_is_the_next_faults() -> None:
    later = [event(30, "struck", "kill"), event(31, "fired", "GatewayDown"), event(33, "fired", "AckLatencyBurn"),
             event(35, "resolved", "GatewayDown")]  # fmt: skip
    first, second = incidents([*HUNG, *later])
    assert (first["recovered_s"], second["detected_s"], second["recovered_s"]) == (7.0, 1.0, None)


def test_a_fault_that_nobody_noticed_has_no_times() -> None:
    (found,) = incidents([event(0, "struck", "stutter")])
    assert (found["alerts"], found["detected_s"], found["recovered_s"]) == ([], None, None)
