"""What the load generator says of itself, and of the orders it sent."""

from target_system.signals.kinds import Metric, Span

METRICS: tuple[Metric, ...] = ()

SPANS: tuple[Span, ...] = (
    Span("client", "generator", "an order as its client sees it, from the intended send time to the answer"),
    Span("client.late", "generator", "of it, until the request was really sent"),
)
