"""What the order path promises its clients. The one place that says it: boards and alert rules take it from here.

Standard library only. `ORDER_LATENCY_S` is a bucket bound of `gateway_request_seconds`, so the share of slow orders is
counted, not estimated.
"""

from __future__ import annotations

from dataclasses import dataclass

from target_system.signals.kinds import LATENCY_BUCKETS_S


@dataclass(frozen=True, slots=True)
class Slo:
    """`objective` is the share of orders and cancels that must be good."""

    name: str
    promise: str
    objective: float

    @property
    def budget(self) -> float:
        """The share that may be bad."""
        return 1 - self.objective


ORDERS = 'endpoint!~"GET .*"'
"""Label matcher of what the promises are about: orders and cancels."""
BAD = f'{ORDERS},outcome=~"unavailable|unknown|failed"'
"""Of these, answered by an error of the cluster. What a client did wrong, or repeats, is none."""

ORDER_LATENCY_S = 0.1
assert ORDER_LATENCY_S in LATENCY_BUCKETS_S

AVAILABILITY = Slo("availability", "answered, and not by an error of the cluster", 0.999)
LATENCY = Slo("latency", f"answered within {ORDER_LATENCY_S * 1000:g} ms", 0.99)


def bad_share(slo: Slo, window: str) -> str:
    """PromQL: of all orders and cancels of the window, those that broke the promise."""
    every = f"sum(rate(gateway_request_seconds_count{{{ORDERS}}}[{window}]))"
    if slo is AVAILABILITY:
        bad = f"(sum(rate(gateway_request_seconds_count{{{BAD}}}[{window}])) or on() vector(0))"
        return f"{bad} / {every}"
    good = f'sum(rate(gateway_request_seconds_bucket{{{ORDERS},le="{ORDER_LATENCY_S}"}}[{window}]))'
    return f"1 - {good} / {every}"


def burn(slo: Slo, window: str) -> str:
    """PromQL: how many times faster than allowed the window spends the budget."""
    return f"({bad_share(slo, window)}) / {slo.budget:.6g}"


BURN_FAST, BURN_SLOW = 14.4, 6.0
"""So many times faster than allowed the budget may not be spent: act now, act today (the SRE workbook's chapter 5)."""

SATURATED = 0.85
"""From this share of its CPU on, a component is full: a queue before it is some six times as long as its service."""
NEARLY_SATURATED = 0.6
"""Here a doubling of the load would fill it."""
