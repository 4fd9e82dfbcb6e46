"""The report's figures as inline SVG: readable in print, in grey and to the colour-blind, numbers beside the marks.

Each takes plain data of the report (docs/reference/report.md) and gives one `<svg>` element that scales to its column.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

INK, MUTED, GRID = "#1a1a1a", "#595959", "#dddddd"
PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#444444", "#999999")
"""Okabe and Ito: told apart with every common kind of colour blindness."""
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
HATCHES = ("", "///", "...", "\\\\\\", "xxx", "---", "+++", "ooo")
DASHES = ("-", "--", ":")
"""Of the second and third eight."""
LEGEND_CHARACTERS, LEGEND_GAP = 80, 8
LEGEND_LINE_IN = 0.2
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none", "svg.hashsalt": "report", "font.family": "sans-serif", "font.size": 10,
    "axes.edgecolor": MUTED, "axes.labelcolor": INK, "text.color": INK, "xtick.color": INK, "ytick.color": INK,
    "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True, "axes.grid.axis": "y",
    "grid.color": GRID, "grid.linewidth": 0.8, "axes.axisbelow": True, "legend.frameon": False, "hatch.linewidth": 0.5,
}  # fmt: skip

Row = Mapping[str, Any]


@mpl.rc_context(STYLE)
def throughput(rows: Sequence[Row], axis: str, usl: Row | None) -> str:
    """Orders per second against the swept parameter, with intervals, the bounds and what CPU alone would allow."""
    figure, axes = _figure(7.2, 3.6)
    x = [float(row["x"]) for row in rows]
    y = [row["orders_per_s"]["value"] for row in rows]
    top = max(y) * 1.6
    for name, label, style in (
        ("ceiling_per_s", "bound: busiest CPU", "--"),
        ("population_per_s", "bound: users never wait", ":"),
        ("mva_per_s", "queueing model of the CPUs", "-."),
    ):
        values = [row["bounds"][name] if row.get("bounds") else None for row in rows]
        if any(value is not None and value <= top for value in values):
            heights = [np.nan if value is None else value for value in values]
            axes.plot(x, heights, style, color=MUTED, linewidth=1.4, label=label)
    if usl:
        axes.plot(*zip(*usl["curve"], strict=True), color=PALETTE[3], linewidth=1.4, label="USL")
    axes.errorbar(
        x,
        y,
        yerr=_spans(rows, y),
        color=PALETTE[0],
        marker="o",
        markersize=7,
        capsize=5,
        linewidth=2,
        label="measured",
    )
    for across, value in zip(x, y, strict=True):
        axes.annotate(f"{value:,.0f}", (across, value), xytext=(7, -14), textcoords="offset points", weight="bold")
    axes.set(ylim=(0, top), xlabel=axis, ylabel="orders/s")
    _ticks_at(axes, x)
    _legend(figure, axes)
    return _svg(figure, "Throughput against " + axis)


@mpl.rc_context(STYLE)
def percentiles(curves: Sequence[Row]) -> str:
    """Latency at each percentile, the tail drawn out: one curve a configuration."""
    figure, axes = _figure(7.2, 3.6)
    for i, curve in enumerate(curves):
        nines = [-np.log10(1 - q / 100) for q, _ in curve["points"]]
        values = [ms for _, ms in curve["points"]]
        dashes = DASHES[i // 8 % len(DASHES)]
        axes.plot(nines, values, dashes, color=PALETTE[i % 8], linewidth=2, label=curve["label"])
        axes.plot(nines[-1], values[-1], MARKERS[i % 8], color=PALETTE[i % 8], markersize=7)
    shown = [0, 50, 90, 99, 99.9, 99.99]
    reach = max(q for curve in curves for q, _ in curve["points"])
    shown = [q for q in shown if q <= reach]
    axes.xaxis.set_major_locator(FixedLocator([-np.log10(1 - q / 100) for q in shown]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{100 * (1 - 10**-v):.6g} %"))
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}"))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_locator(FixedLocator([m * 10.0**e for e in range(-2, 5) for m in (1, 2, 5)]))
    axes.grid(visible=True, axis="x")
    axes.set(xlabel="percentile of the orders", ylabel="latency, ms (log)")
    _legend(figure, axes)
    return _svg(figure, "Latency percentiles")


@mpl.rc_context(STYLE)
def stacked(bars: Sequence[Row], unit: str, title: str) -> str:
    """Horizontal bars, each split into parts: {"label", "parts": [{"name", "value", "style"}]}, with eight styles."""
    names = list(dict.fromkeys(part["name"] for bar in bars for part in bar["parts"]))
    figure, axes = _figure(7.2, 0.9 + 0.55 * len(bars) + 0.28 * ((len(names) + 3) // 4))
    whole = max(sum(part["value"] for part in bar["parts"]) for bar in bars)
    left = np.zeros(len(bars))
    styles = {part["name"]: part["style"] for bar in bars for part in bar["parts"]}
    for name, i in styles.items():
        values = np.array([sum(p["value"] for p in bar["parts"] if p["name"] == name) for bar in bars])
        axes.barh(
            range(len(bars)), values, left=left, height=0.62, label=name,
            color=_tint(PALETTE[i]), edgecolor=PALETTE[i], hatch=HATCHES[i],
        )  # fmt: skip
        for row, value in enumerate(values):
            if value > 0.07 * whole:
                axes.text(
                    left[row] + value / 2, row, f"{value:,.3g}" if value < 100 else f"{value:,.0f}", ha="center",
                    va="center", bbox={"boxstyle": "round,pad=0.15", "facecolor": "white", "edgecolor": "none"},
                )  # fmt: skip
        left += values
    for row, value in enumerate(left):
        axes.text(
            value + 0.012 * whole,
            row,
            f"{value:,.3g}" if value < 100 else f"{value:,.0f}",
            va="center",
            weight="bold",
        )
    axes.set(yticks=range(len(bars)), yticklabels=[bar["label"] for bar in bars], xlabel=unit, xlim=(0, whole * 1.13))
    axes.invert_yaxis()
    axes.grid(visible=True, axis="x")
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)
    _legend(figure, axes)
    return _svg(figure, title)


@mpl.rc_context(STYLE)
def ratios(lines: Sequence[Row], axis: str) -> str:
    """Throughput as a ratio to the first configuration: {"label", "points": [[x, ratio, low, high]]}."""
    figure, axes = _figure(7.2, 3.0)
    for i, line in enumerate(lines):
        x, y = [p[0] for p in line["points"]], [p[1] for p in line["points"]]
        spans = [[p[1] - p[2] for p in line["points"]], [p[3] - p[1] for p in line["points"]]]
        style = "-" if i == 0 else "--"
        axes.errorbar(
            x, y, yerr=spans, linestyle=style, marker=MARKERS[i], markersize=7, color=PALETTE[i], capsize=4,
            linewidth=2, label=line["label"],
        )  # fmt: skip
    axes.set(ylim=(0, None), xlabel=axis, ylabel="times one gateway")
    _ticks_at(axes, sorted({p[0] for line in lines for p in line["points"]}))
    _legend(figure, axes)
    return _svg(figure, "Scaling as ratios to one gateway")


@mpl.rc_context(STYLE)
def levers(proof: Row) -> str:
    """Throughput with less and with more of each capacity, around what it was: {"base_per_s", "levers": [...]}."""
    rows = proof["levers"]
    figure, axes = _figure(7.2, 1.3 + 0.62 * len(rows))
    base = proof["base_per_s"]
    axes.axvspan(base["low"], base["high"], color="#eeeeee", zorder=0)
    axes.axvline(base["value"], color=MUTED, linewidth=1.4, linestyle="--", label="as it is")
    for arm, label, i in (("less_per_s", "less of it", 1), ("more_per_s", "more of it", 0)):
        x = [row[arm]["value"] for row in rows]
        spread = [
            [row[arm]["value"] - row[arm]["low"] for row in rows],
            [row[arm]["high"] - row[arm]["value"] for row in rows],
        ]
        heights = [row + (0.13 if i else -0.13) for row in range(len(rows))]
        axes.errorbar(
            x, heights, xerr=spread, fmt=MARKERS[i], color=PALETTE[i], markersize=8, capsize=4, linewidth=1.8,
            label=label,
        )  # fmt: skip
        for value, height in zip(x, heights, strict=True):
            axes.annotate(
                f"{value:,.0f}",
                (value, height),
                xytext=(0, 9 if not i else -17),
                textcoords="offset points",
                ha="center",
            )
    axes.set(yticks=range(len(rows)), yticklabels=[row["lever"] for row in rows], xlabel="orders/s")
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.grid(visible=True, axis="x")
    axes.grid(visible=False, axis="y")
    _legend(figure, axes)
    return _svg(figure, f"Throughput by lever {proof['configuration']}")


@mpl.rc_context(STYLE)
def beside(rows: Sequence[Row]) -> str:
    """Throughput of each configuration in each run, with its interval: {"label", "mark", "orders_per_s"}."""
    labels = list(dict.fromkeys(row["label"] for row in rows))
    marks = sorted({row["mark"] for row in rows}, key=lambda mark: (len(mark), mark))
    figure, axes = _figure(7.2, 1.1 + 0.32 * len(labels) * len(marks))
    for i, mark in enumerate(marks):
        mine = [row for row in rows if row["mark"] == mark]
        x = [row["orders_per_s"]["value"] for row in mine]
        y = [labels.index(row["label"]) + 0.7 * (i / max(len(marks) - 1, 1) - 0.5) for row in mine]
        axes.errorbar(
            x, y, xerr=_spans(mine, x), linestyle="none", marker=MARKERS[i % 8], color=PALETTE[i % 8], markersize=8,
            capsize=4, label=f"run {mark}",
        )  # fmt: skip
        for value, height in zip(x, y, strict=True):
            axes.annotate(f"{value:,.0f}", (value, height), (8, 5), textcoords="offset points", fontsize=8)
    axes.set(xlim=(0, None), xlabel="orders/s", yticks=range(len(labels)), yticklabels=labels)
    axes.set_ylim(len(labels) - 0.4, -0.6)
    axes.grid(axis="x")
    _legend(figure, axes)
    return _svg(figure, "Throughput of the runs")


def timeline(panels: Sequence[Row]) -> str:
    """Orders in each second of each window, with what happened to the cluster marked: small multiples, one scale."""
    figure = Figure(figsize=(7.2, 1.0 + 1.15 * len(panels)))
    top = max((max(panel["orders"], default=0) for panel in panels), default=0) * 1.15 or 1
    last = max(panel["seconds"][-1] for panel in panels) + 1
    every = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
    for panel, axes in zip(panels, every, strict=True):
        seconds, orders = [*panel["seconds"], last], [*panel["orders"], panel["orders"][-1]]
        axes.fill_between(seconds, orders, step="post", color=_tint(PALETTE[0]))
        axes.step(seconds, orders, where="post", color=PALETTE[0], linewidth=1.2)
        axes.axvspan(panel["seconds"][0], 0, color="#eeeeee", zorder=0)
        for i, event in enumerate(panel["events"]):
            axes.axvline(event["second"], color=PALETTE[1], linewidth=1.6, linestyle="--")
            height = top * (0.94 - 0.26 * (i % 3))
            side = "right" if event["second"] > 0.7 * last else "left"
            axes.text(event["second"], height, f" {event['what']} ", color="#a04000", fontsize=9, va="top", ha=side)
        axes.set(ylim=(0, top), xlim=(panel["seconds"][0], last))
        axes.set_title(panel["label"], loc="left", fontsize=10, pad=3)
    every[-1].set_xlabel("seconds since measuring began (grey: warm-up)")
    every[len(panels) // 2].set_ylabel("orders/s")
    figure.tight_layout()
    return _svg(figure, "Orders per second over time")


def _figure(width_in: float, height_in: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width_in, height_in), layout="constrained")
    return figure, figure.subplots()


def _spans(rows: Sequence[Row], y: Sequence[float]) -> list[list[float]]:
    low = [row["orders_per_s"].get("low") for row in rows]
    high = [row["orders_per_s"].get("high") for row in rows]
    below = [0.0 if end is None else value - end for value, end in zip(y, low, strict=True)]
    above = [0.0 if end is None else end - value for value, end in zip(y, high, strict=True)]
    return [below, above]


def _ticks_at(axes: Axes, values: Sequence[float]) -> None:
    axes.xaxis.set_major_locator(FixedLocator(list(values)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}"))
    room = 0.12 * (max(values) - min(values)) or 0.5
    axes.set_xlim(min(values) - room, max(values) + room)


def _legend(figure: Figure, axes: Axes) -> None:
    """Above the axes, in as many columns as its longest label leaves room for; the figure grows by its lines."""
    handles, labels = axes.get_legend_handles_labels()
    columns = max(1, min(4, LEGEND_CHARACTERS // (max(map(len, labels)) + LEGEND_GAP)))
    lines = -(-len(labels) // columns)
    figure.set_figheight(figure.get_figheight() + LEGEND_LINE_IN * max(0, lines - 2))
    figure.legend(handles, labels, loc="outside upper left", ncols=columns, borderaxespad=0.2, handlelength=1.8)


def _tint(colour: str) -> str:
    """Half way to white, so that black text on it stays readable."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return "#" + "".join(f"{(part + 255) // 2:02x}" for part in (red, green, blue))


def _svg(figure: Figure, title: str) -> str:
    """The `<svg>` element alone, without fixed size, date or the ids that would repeat on a page of several figures."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    svg = text[text.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r'(<svg[^>]*?) height="[^"]*"', r'\1 role="img" aria-label="' + title + '"', svg, count=1)
    return _own_ids(svg, re.sub(r"\W", "", title))


def _own_ids(svg: str, owner: str) -> str:
    """Drops the ids that nothing in the figure refers to, and names the others by the figure and a number: Matplotlib's
    own are not the same each time."""
    used = dict.fromkeys(re.findall(r'(?:url\(|href=")#([^")]+)', svg))
    names = {name: f"{owner}-{number}" for number, name in enumerate(used, 1)}

    def kept(match: re.Match[str]) -> str:
        return f' id="{names[match[1]]}"' if match[1] in names else ""

    svg = re.sub(r' id="([^"]*)"', kept, svg)
    return re.sub(r'(url\(|href=")#([^")]+)', lambda match: f"{match[1]}#{names[match[2]]}", svg)
