"""The page of a report: data and figures in, one self-contained HTML document out. No scripts, nothing fetched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from analysis.finding import in_words
from reports import charts

FAULTS = ("lost", "duplicated", "holes", "mismatched", "in_doubt")
"""Columns of the reconciliation in which anything but zero is bad news."""
COLUMNS = ("acknowledged", *FAULTS, "resolved")
BESIDE = {"generator": "load generator", "settler": "settler"}
REST = "observability"
"""What a component that is not on the order path is called in the page, which sums up the many that only watch."""
STYLES = {
    "HAProxy": 0, "gateways": 1, "validate": 1, "engine": 2, "Postgres": 3, "ledger": 3, "Redis": 4, "publish": 4,
    "settler": 7, "elsewhere": 7, REST: 5, "load generator": 6,
}  # fmt: skip
"""A component looks alike in all figures, and so does the stage that waits for it."""
TONES = {"proven": "", "suspected": "", "no limit at this load": "clear"}


def render(content: Mapping[str, Any]) -> str:
    return environment().get_template("report.html.j2").render({**content, **_derived(content), **_charts(content)})


def title(content: Mapping[str, Any]) -> str:
    campaign = content["run"]["campaign"]
    return str(campaign.get("title") or campaign.get("name") or content["run"]["id"])


def reconciled(reconciliation: Mapping[str, Any]) -> tuple[bool, str, str]:
    """(nothing is amiss, in five words, the figures)."""
    wrong = {name: reconciliation[name] for name in FAULTS if reconciliation.get(name)}
    acknowledged = reconciliation.get("acknowledged", 0)
    if wrong:
        counts = ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in wrong.items())
        return False, f"Not reconciled: {counts}", f"of {acknowledged:,} acknowledged orders and cancels"
    detail = "every one found exactly once in the ledger and in the replayed journal"
    return True, f"{acknowledged:,} acknowledged, 0 lost", detail


def _derived(content: Mapping[str, Any]) -> dict[str, Any]:
    rows = content["configurations"]
    agreed, headline, detail = reconciled(content["reconciliation"])
    by_window = content["reconciliation"].get("windows", {})
    return {
        "title": title(content),
        "load": _load(rows),
        "tone": TONES.get(content["verdict"]["status"], "warn") if content["valid"] else "bad",
        "method": next(
            (row["orders_per_s"]["method"] for row in rows if row["orders_per_s"]["method"]), "none: too short"
        ),
        "lost_nothing": agreed,
        "reconciled": headline,
        "reconciled_detail": detail,
        "host_busy": max((row["host_busy"] for row in rows), default=0.0),
        "stolen": max((row["steal_share"] for row in content["noise"]), default=0.0),
        "components": list(dict.fromkeys(c["component"] for row in rows for c in row["components"] if c["on_path"])),
        "watching": [_watching(row) for row in rows],
        "drifts": [finding for finding in content["findings"] if finding["mechanism"] == "drift"],
        "died": [event for event in content["events"] if event["kind"] == "died"],
        "error_kinds": sorted({kind for row in rows for kind in row["errors"]}),
        "faults": FAULTS,
        "reconciliation_columns": [name for name in COLUMNS if name in content["reconciliation"]],
        "reconciliation_rows": [*by_window.items(), ("all", content["reconciliation"])],
        "fairness_rows": [(name, row["fairness"]) for name, row in by_window.items() if row.get("fairness")],
        "differences": [line for row in by_window.values() for line in row.get("differences", [])],
        "campaign_yaml": yaml.safe_dump(content["run"]["campaign"], sort_keys=False, allow_unicode=True),
    }


def _load(rows: Sequence[Mapping[str, Any]]) -> str:
    """Of all configurations; what differs between them from the least to the most."""
    said = f"closed loop, {_range(rows, 'users')} users, think time {_range(rows, 'think_time_s', 1e3)} ms"
    if all(row["rate_per_s"] is not None for row in rows):
        said = f"open loop, {_range(rows, 'rate_per_s')} requests/s"
    repetitions = _range(rows, "repetitions")
    times = f"{repetitions} repetition{'s' if repetitions != '1' else ''}"
    each = [{"s": row["measured_s"] / row["repetitions"]} for row in rows]
    return f"{said}; {times} of {_range(each, 's')} s measured"


def _range(rows: Sequence[Mapping[str, Any]], name: str, factor: float = 1.0) -> str:
    values = [factor * row[name] for row in rows]
    return " to ".join(dict.fromkeys(_number(value) for value in (min(values), max(values))))


def _watching(row: Mapping[str, Any]) -> float:
    """Busy cores of all that neither carries orders nor sends them."""
    others = (c for c in row["components"] if not c["on_path"] and c["component"] != "generator")
    return float(sum(c["busy_cores"]["value"] for c in others))


def _charts(content: Mapping[str, Any]) -> dict[str, Markup | list[Markup] | None]:
    rows = [row for row in content["configurations"] if row["orders"]]
    swept = content["swept"]
    curves = [{"label": row["label"], "points": row["percentiles"]} for row in rows if row["percentiles"]]
    residences = [{"label": row["label"], "parts": _parts(row["residence_ms"])} for row in rows if row["residence_ms"]]
    return {
        "scaling_chart": _chart(
            charts.throughput, [{**row, "x": row["parameters"][swept]} for row in rows], swept, content["usl"]
        )
        if swept and len(rows) > 1
        else None,
        "proof_charts": [_chart(charts.levers, proof) for proof in content["proofs"]],
        "percentile_chart": _chart(charts.percentiles, curves) if curves else None,
        "residence_chart": _chart(charts.stacked, residences, "ms", "Time of an order by stage")
        if residences
        else None,
        "demand_chart": _demand_chart(rows),
        "timeline_chart": _chart(charts.timeline, content["timeline"]),
    }


def _demand_chart(rows: Sequence[Mapping[str, Any]]) -> Markup | None:
    """The components of the order path by name; those that only watch as one part."""
    bars = []
    for row in rows:
        parts: dict[str, float] = {}
        for component in row["components"]:
            name = (
                _heading(component["component"]) if component["on_path"] else BESIDE.get(component["component"], REST)
            )
            parts[name] = parts.get(name, 0.0) + component["demand_us"]["value"]
        if parts:
            bars.append({"label": row["label"], "parts": _parts(parts)})
    return _chart(charts.stacked, bars, "µs of CPU for each order", "CPU time of an order") if bars else None


def _parts(values: Mapping[str, float]) -> list[dict[str, Any]]:
    """In the order of their styles, which is that of the order path."""
    return [{"name": name, "value": values[name], "style": style} for name, style in STYLES.items() if name in values]


def _chart(draw: Any, *given: Any) -> Markup:
    """The figures are built by this program from escaped text, so they go in as they are."""
    return Markup(draw(*given))


def environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(words=_heading)
    environment.filters.update(number=_number, ms=_number, percent=_percent, cores=_cores, moment=_moment, clock=_clock)
    return environment


def _heading(component: str) -> str:
    """Head of a table's row: "Postgres", "gateways"."""
    return in_words(component).removeprefix("the ")


def _number(value: float) -> str:
    """Three significant digits below a thousand, whole numbers above: 0.123, 12.3, 123, 1,234."""
    if value == int(value) or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.2f}" if abs(value) < 10 else f"{value:.1f}"


def _percent(share: float, digits: int = 0) -> str:
    return f"{100 * share:.{digits}f} %"


def _cores(value: float) -> str:
    return f"{value:.2g}"


def _moment(iso: str) -> str:
    return datetime.fromisoformat(iso).strftime("%Y-%m-%d %H:%M:%S UTC")


def _clock(t_ns: int) -> str:
    return datetime.fromtimestamp(t_ns / 1e9, UTC).strftime("%H:%M:%S")
