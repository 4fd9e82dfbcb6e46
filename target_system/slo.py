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


ORDER_LATENCY_S = 0.1
assert ORDER_LATENCY_S in LATENCY_BUCKETS_S

AVAILABILITY = Slo("availability", "answered, and not by an error of the cluster", 0.999)
LATENCY = Slo("latency", f"answered within {ORDER_LATENCY_S * 1000:g} ms", 0.99)

SATURATED = 0.85
"""From this share of its CPU on, a component is full: a queue before it is some six times as long as its service."""
NEARLY_SATURATED = 0.6
"""Here a doubling of the load would fill it."""
