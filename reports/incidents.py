"""Each fault of a run and what became of it: who noticed when, who was told, what was done, when it was over. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Event = Mapping[str, Any]
ALERT_KINDS = frozenset(("fired", "told", "paged", "ticketed", "resolved"))
"""What an alert did, not the cluster."""


def incidents(events: Sequence[Event]) -> list[dict[str, Any]]:
    """One a fault, in order. What an alert did belongs to the last fault before it. Seconds count from the fault."""
    places = [place for place, event in enumerate(events) if event["kind"] == "struck"]
    return [_incident(events[start:end]) for start, end in zip(places, [*places[1:], None], strict=False)]


def _incident(events: Sequence[Event]) -> dict[str, Any]:
    """The fault, and all until the next one."""
    fault = events[0]

    def first_s(*kinds: str) -> float | None:
        return _seconds(fault, (e for e in events if e["kind"] in kinds), min)

    fired = {(e["said"], e["part"]) for e in events if e["kind"] == "fired"}
    over = {(e["said"], e["part"]) for e in events if e["kind"] == "resolved"}
    is_over = bool(fired) and fired <= over
    return {
        "fault": fault["said"],
        "part": fault["part"],
        "t_ns": fault["t_ns"],
        "alerts": sorted({name for name, _ in fired}),
        "detected_s": first_s("fired"),
        "told_s": first_s("paged", "ticketed"),
        "remedied_s": first_s("remedied"),
        "remedy": next((e["said"] for e in events if e["kind"] == "remedied"), None),
        "reverted_s": first_s("reverted"),
        "recovered_s": _seconds(fault, (e for e in events if e["kind"] == "resolved"), max) if is_over else None,
    }


def _seconds(fault: Event, events: Iterable[Event], pick: Any) -> float | None:
    at_ns = pick((e["t_ns"] for e in events), default=None)
    return None if at_ns is None else round((at_ns - fault["t_ns"]) / 1e9, 2)
