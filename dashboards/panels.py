"""A panel is one call: unit and meaning come from the register of signals, so a board says only what it wants to see.

`where` is what stands between the braces of a selector. `$__rate_interval` is at least four scrapes, in Grafana as in
the lab's own rendering (dashboards/queries.py).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from dashboards.model import Colour, Kind, Panel, Query, Threshold
from target_system.signals import METRICS, Metric, MetricType
from target_system.slo import NEARLY_SATURATED, ORDER_LATENCY_S, SATURATED

EVERY = "[$__rate_interval]"
FULL = (
    Threshold(0, Colour.GOOD),
    Threshold(NEARLY_SATURATED, Colour.WARN),
    Threshold(SATURATED, Colour.BAD),
)
"""Thresholds of a share that should not reach one."""
PROMISED = (Threshold(0, Colour.GOOD), Threshold(ORDER_LATENCY_S, Colour.BAD))
ANSWERING = (Threshold(0, Colour.BAD), Threshold(1, Colour.GOOD))
QUANTILES = ((0.5, "p50"), (0.99, "p99"), (0.999, "p99.9"))


def latency(signal: str, red: str, where: str = "", by: str = "", **more: Any) -> Panel:
    """Quantiles of a histogram; its p99 by one label where `by` names it."""
    metric = declared(signal, MetricType.HISTOGRAM)
    if by:
        queries = [Query(quantile(signal, 0.99, where, by), f"p99 {{{{{by}}}}}")]
    else:
        queries = [Query(quantile(signal, share, where), name) for share, name in QUANTILES]
    return panel(metric, Kind.LINES, metric.unit, queries, red, **more)


def heatmap(signal: str, red: str, where: str = "", **more: Any) -> Panel:
    """How many observations fell into each bucket."""
    metric = declared(signal, MetricType.HISTOGRAM)
    query = Query(f"sum by (le) (increase({signal}_bucket{{{where}}}{EVERY}))", "{{le}}")
    return panel(metric, Kind.HEATMAP, metric.unit, [query], red, **more)


def mean(signal: str, red: str, where: str = "", by: str = "", **more: Any) -> Panel:
    """Mean of a histogram's observations."""
    metric = declared(signal, MetricType.HISTOGRAM)
    query = Query(mean_of(signal, where, by), f"{{{{{by}}}}}" if by else "mean")
    return panel(metric, Kind.LINES, metric.unit, [query], red, **more)


def rate(signal: str, red: str, where: str = "", by: str = "", **more: Any) -> Panel:
    """Of a counter, or of a histogram's observations, per second; stacked where `by` tells parts of a whole apart."""
    metric = declared(signal, MetricType.COUNTER, MetricType.HISTOGRAM)
    unit = more.pop("unit", "observations/s" if metric.type is MetricType.HISTOGRAM else f"{metric.unit}/s")
    query = Query(rate_of(signal, where, by), f"{{{{{by}}}}}" if by else metric.component)
    return panel(metric, Kind.STACK if by else Kind.LINES, unit, [query], red, **more)


def level(signal: str, red: str, where: str = "", by: str = "instance", **more: Any) -> Panel:
    """A gauge, by one label."""
    metric = declared(signal, MetricType.GAUGE)
    query = Query(f"sum by ({by}) ({signal}{{{where}}})", f"{{{{{by}}}}}")
    return panel(metric, Kind.LINES, metric.unit, [query], red, **more)


def saturation(red: str, where: str, **more: Any) -> Panel:
    """How full the processors of the chosen parts are."""
    queries = (Query(fullness(where), "{{instance}}"),)
    meaning = "CPU used of what it may use, or the share of quota periods that stopped it, if more."
    title = more.pop("title", "How full")
    return Panel(title, Kind.CELLS, "share", queries, meaning, red, FULL, 1.0, **more)


def with_host(panel: Panel) -> Panel:
    """The panel of a fullness with the machine as one more row."""
    return replace(panel, queries=(*panel.queries, Query(HOST_FULLNESS, "the host")))


def lines(title: str, unit: str, queries: dict[str, str], meaning: str, red: str, **more: Any) -> Panel:
    """What no single signal says: legend → query."""
    made = tuple(Query(expr, legend) for legend, expr in queries.items())
    return Panel(title, more.pop("kind", Kind.LINES), unit, made, meaning, red, **more)


def stat(title: str, unit: str, query: Query, meaning: str, red: str, **more: Any) -> Panel:
    return Panel(title, Kind.STAT, unit, (query,), meaning, red, **{"width": 4, "height": 4} | more)


def logs(title: str, components: tuple[str, ...], meaning: str, red: str, of_trace: bool = False) -> Panel:
    """Lines of these components; those of the trace that the board's variable names."""
    expr = f'{{service_name=~"{"|".join(components)}"}}' + (' | trace_id=~"$trace_id"' if of_trace else "")
    return Panel(title, Kind.LOGS, "lines", (Query(expr, components=components),), meaning, red, width=24)


def panel(metric: Metric, kind: Kind, unit: str, queries: list[Query], red: str, **more: Any) -> Panel:
    meaning = f"{metric.name}: {metric.meaning}."
    title = more.pop("title", metric.meaning[:1].upper() + metric.meaning[1:])
    return Panel(title, kind, unit, tuple(queries), meaning, red, **more)


def coloured(panel: Panel, **colours: Colour) -> Panel:
    """With the colours of the queries whose legends are named."""
    queries = tuple(replace(query, colour=colours.get(query.legend, query.colour)) for query in panel.queries)
    return replace(panel, queries=queries)


def declared(signal: str, *types: MetricType) -> Metric:
    metric = METRICS[signal]
    if metric.type not in types:
        raise ValueError(f"{signal} is a {metric.type}; this panel is for a {' or '.join(types)}")
    return metric


def rate_of(signal: str, where: str = "", by: str = "") -> str:
    name = f"{signal}_count" if METRICS[signal].type is MetricType.HISTOGRAM else signal
    return f"sum{f' by ({by})' if by else ''} (rate({name}{{{where}}}{EVERY}))"


def mean_of(signal: str, where: str = "", by: str = "") -> str:
    """Not a number where nothing was observed: a gap in the line."""
    over = f" by ({by})" if by else ""
    return f"sum{over} (rate({signal}_sum{{{where}}}{EVERY})) / sum{over} (rate({signal}_count{{{where}}}{EVERY}))"


def per_event(signal: str, events: str, where: str = "", by: str = "") -> str:
    """Of a counter, how much came with each event of another; 0 where there was no event."""
    return f"{rate_of(signal, where, by)} / ({rate_of(events, where, by)} > 0) or on() vector(0)"


def quantile(signal: str, share: float, where: str = "", by: str = "") -> str:
    labels = f"le, {by}" if by else "le"
    return f"histogram_quantile({share}, sum by ({labels}) (rate({signal}_bucket{{{where}}}{EVERY})))"


def waits(red: str, **more: Any) -> Panel:
    """Sessions of Postgres that are at work, by what they wait for; sampled more often than it is scraped."""
    samples = rate_of("ledger_wait_samples_total", 'type!="Client"', "type, event")
    expr = f"{samples} / scalar(max(rate(ledger_wait_ticks_total{EVERY})))"
    expr = f'label_replace({expr}, "event", "(at work)", "type", "CPU")'
    meaning = "Active sessions by wait event, on average; CPU: none, they work."
    return Panel(
        "What Postgres waits for", Kind.STACK, "sessions", (Query(expr, "{{type}} {{event}}"),), meaning, red, **more
    )


HOST_FULLNESS = f'sum(rate(cluster_host_cpu_seconds_total{{mode!="idle"}}{EVERY})) / max(cluster_host_cores)'
"""Of the machine's cores: busy with whatever, or stolen."""

ONE_CORE = "haproxy|gateway|redis|settler|generator"
"""Components whose parts have one thread that carries the work."""


def fullness(where: str) -> str:
    """By component and instance: CPU used over quota, thread or host; or how often the quota stopped it, if more."""
    one_core = f'0 * cluster_up{{{where},component=~"{ONE_CORE}"}} + 1'
    host = f"0 * cluster_up{{{where}}} + on() group_left() cluster_host_cores"
    used = f"rate(cluster_cpu_seconds_total{{{where}}}{EVERY})"
    share = f"{used} / (cluster_cpu_quota_cores{{{where}}} or {one_core} or {host})"
    periods = f"rate(cluster_cpu_periods_total{{{where}}}{EVERY})"
    stopped = f"rate(cluster_cpu_throttled_periods_total{{{where}}}{EVERY}) / ({periods} > 0)"
    both = f'label_replace({share}, "why", "used", "", "") or label_replace({stopped}, "why", "stopped", "", "")'
    return f"clamp_max(max by (component, instance) ({both}), 1)"
