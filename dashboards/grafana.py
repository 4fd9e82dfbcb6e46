"""The boards as Grafana's own JSON, and the files that provision a Grafana with them and with its data sources.

One folder for every deployment target. What differs between targets, addresses and the folder's place, are environment
variables that Grafana fills in when it reads the files.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from grafana_foundation_sdk.builders import (
    common,
    dashboard,
    heatmap,
    logs,
    loki,
    prometheus,
    stat,
    statushistory,
    timeseries,
)
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models import common as shapes
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models import heatmap as heatmaps
from grafana_foundation_sdk.models import prometheus as prometheus_models

from dashboards.catalogue import ANNOTATIONS, BOARDS
from dashboards.model import Annotation, Board, Kind, Panel, Place, Query, Variable, placed
from dashboards.queries import ALL, ANY_TEXT

FOLDER_UID, FOLDER_TITLE = "lab", "Trading cluster lab"
PROMETHEUS = models.DataSourceRef(type_val="prometheus", uid="lab-prometheus")
LOKI = models.DataSourceRef(type_val="loki", uid="lab-loki")
TAG = "trading-lab"
TRACES_OF_EXEMPLARS = {
    "name": "trace_id",
    "url": "/d/lab-order-path?var-trace_id=${__value.raw}",
    "urlDisplayLabel": "Log lines of this trace",
}
SCRAPE = "1s"
UNITS = {
    "seconds": "s", "bytes": "bytes", "bytes/s": "Bps", "share": "percentunit", "percent": "percent",
    "number": "short",
    "bool": "bool_yes_no",
}  # fmt: skip
"""Unit of the register → Grafana's; another one is shown as it is written."""


class BoardError(Exception):
    """A board is not what Grafana's schema knows; the text says where."""


def write(folder: Path) -> list[Path]:
    """Writes everything below `folder`; gives the files. Raises BoardError."""
    texts = {f"boards/{board.uid}.json": text_of(board) for board in BOARDS}
    sources = _yaml({"apiVersion": 1, "datasources": [*data_sources()]})
    texts["provisioning/datasources/lab.yaml"] = sources.replace("${", "$${")  # the page's to fill in, not the start's
    provider = {
        "name": "lab", "folder": FOLDER_TITLE, "folderUid": FOLDER_UID, "type": "file", "updateIntervalSeconds": 10,
        "allowUiUpdates": False, "options": {"path": "$LAB_BOARDS"},
    }  # fmt: skip
    texts["provisioning/dashboards/lab.yaml"] = _yaml({"apiVersion": 1, "providers": [provider]})
    for name, text in texts.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return [folder / name for name in texts]


def data_sources(
    prometheus_url: str = "$LAB_PROMETHEUS_URL", loki_url: str = "$LAB_LOKI_URL"
) -> Iterator[dict[str, Any]]:
    """As Grafana's API and its provisioning want them."""
    common_keys = {"access": "proxy", "isDefault": False}
    yield {
        "name": "Lab Prometheus", "type": PROMETHEUS.type_val, "uid": PROMETHEUS.uid, "url": prometheus_url,
        **common_keys, "jsonData": {
            "timeInterval": SCRAPE, "httpMethod": "POST", "exemplarTraceIdDestinations": [TRACES_OF_EXEMPLARS],
        },
    }  # fmt: skip
    yield {
        "name": "Lab Loki",
        "type": LOKI.type_val,
        "uid": LOKI.uid,
        "url": loki_url,
        **common_keys,
        "jsonData": {"maxLines": 1000},
    }


def text_of(board: Board) -> str:
    """The board's JSON, after Grafana's schema has read it back unchanged."""
    text = json.dumps(build(board), cls=JSONEncoder, indent=1, sort_keys=True) + "\n"
    lost = differences(json.loads(text), read_back(text))
    if lost:
        raise BoardError(f"{board.name}: not in Grafana's schema: {'; '.join(lost)}")
    return text


def read_back(text: str) -> Any:
    """What Grafana's schema, that of every kind of panel and query included, makes of the JSON."""
    register_default_plugins()
    return json.loads(json.dumps(models.Dashboard.from_json(json.loads(text)), cls=JSONEncoder))


def differences(ours: Any, theirs: Any, where: str = "") -> list[str]:
    """What of our JSON is gone, or other, after the schema has read and written it: a key that is misspelt, say."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        gone = [f"{where}.{key} is unknown".lstrip(".") for key in ours if key not in theirs]
        both = (differences(value, theirs[key], f"{where}.{key}") for key, value in ours.items() if key in theirs)
        return gone + [line for lines in both for line in lines]
    if isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        pairs = enumerate(zip(ours, theirs, strict=True))
        return [line for i, (one, other) in pairs for line in differences(one, other, f"{where}[{i}]")]
    return [] if ours == theirs else [f"{where} becomes {theirs!r}".lstrip(".")]


def build(board: Board) -> models.Dashboard:
    built = (
        dashboard.Dashboard(board.title)
        .uid(board.uid)
        .description(board.purpose)
        .tags([TAG])
        .readonly()
        .tooltip(models.DashboardCursorSync.CROSSHAIR)
        .time("now-5m", "now")
        .refresh("5s")
        .timezone("utc")
        .link(
            dashboard.DashboardLink("Boards of the lab")
            .type(models.DashboardLinkType.DASHBOARDS)
            .tags([TAG])
            .keep_time(True)
        )
    )
    for annotation in ANNOTATIONS:
        built.annotation(_annotation(annotation))
    for variable in board.variables:
        built.with_variable(_variable(variable))
    for panel, place in placed(board):
        built.with_panel(_panel(panel, place))
    done = built.build()
    for item in (*(done.links or ()), *((done.annotations and done.annotations.list_val) or ())):
        item.placement = None  # the SDK's default hides them in a menu
    return done


def _annotation(annotation: Annotation) -> dashboard.AnnotationQuery:
    return (
        dashboard.AnnotationQuery()
        .name(annotation.name)
        .datasource(PROMETHEUS)
        .enable(True)
        .icon_color(annotation.colour)
        .expr(annotation.expr.replace("$__rate_interval", "5s"))  # which Grafana fills in for panels alone
        .step(SCRAPE)
        .title_format(annotation.text)
    )


def _variable(variable: Variable) -> Any:
    if not variable.metric:
        return (
            dashboard.TextBoxVariable(variable.name)
            .label(variable.title)
            .default_value(ANY_TEXT)
            .current(models.VariableOption(text=ANY_TEXT, value=ANY_TEXT))
        )
    return (
        dashboard.QueryVariable(variable.name)
        .label(variable.title)
        .datasource(PROMETHEUS)
        .query({"query": f"label_values({variable.metric}, {variable.label})", "refId": variable.name})
        .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(models.VariableSort.ALPHABETICAL_ASC)
        .multi(True)
        .include_all(True)
        .all_value(ALL)
        .current(models.VariableOption(text="All", value="$__all"))
    )


def _panel(panel: Panel, place: Place) -> Any:
    built = _VISUALS[panel.kind](panel)
    built.title(panel.title).description(panel.description)
    built.grid_pos(models.GridPos(h=place.height, w=place.width, x=place.x, y=place.y))
    if panel.kind is Kind.LOGS:
        return built.datasource(LOKI).targets(
            [loki.Dataquery().expr(q.expr).ref_id(_ref(i)) for i, q in enumerate(panel.queries)]
        )
    built.datasource(PROMETHEUS).targets([_target(panel, query, i) for i, query in enumerate(panel.queries)])
    for query in panel.queries:
        if query.colour and query.legend and hasattr(built, "override_by_name"):
            fixed = models.DynamicConfigValue("color", {"mode": "fixed", "fixedColor": str(query.colour)})
            built.override_by_name(query.legend, [fixed])
    return built


def _target(panel: Panel, query: Query, number: int) -> prometheus.Dataquery:
    target = prometheus.Dataquery().expr(query.expr).ref_id(_ref(number)).legend_format(query.legend or "__auto")
    if panel.kind is Kind.HEATMAP:
        target.format(prometheus_models.PromQueryFormat.HEATMAP)
    if panel.kind is Kind.STAT:
        return target.instant()
    return target.range().exemplar("_bucket" in query.expr)


def _ref(number: int) -> str:
    return chr(ord("A") + number)


def _lines(panel: Panel) -> timeseries.Panel:
    built = (
        timeseries.Panel()
        .unit(unit_of(panel.unit))
        .min(0)
        .line_width(1)
        .show_points(shapes.VisibilityMode.AUTO)
        .legend(
            common.VizLegendOptions()
            .display_mode(shapes.LegendDisplayMode.LIST)
            .placement(shapes.LegendPlacement.BOTTOM)
            .show_legend(True)
            .calcs(["lastNotNull"])
        )
        .tooltip(common.VizTooltipOptions().mode(shapes.TooltipDisplayMode.MULTI).sort(shapes.SortOrder.DESCENDING))
    )
    if panel.kind is Kind.STACK:
        built.fill_opacity(70).line_width(0).stacking(
            common.StackingConfig().mode(shapes.StackingMode.NORMAL).group("A")
        )
    if panel.thresholds:
        built.thresholds(_thresholds(panel)).thresholds_style(
            common.GraphThresholdsStyleConfig().mode(shapes.GraphThresholdsStyleMode.DASHED)
        )
    return built


def _cells(panel: Panel) -> statushistory.Panel:
    built = (
        statushistory.Panel()
        .unit(unit_of(panel.unit))
        .thresholds(_thresholds(panel))
        .show_value(shapes.VisibilityMode.NEVER)
    )
    built.color_scheme(dashboard.FieldColor().mode(models.FieldColorModeId.THRESHOLDS)).row_height(0.9)
    return built.min(0).max(panel.max) if panel.max is not None else built.min(0)


def _heat(panel: Panel) -> heatmap.Panel:
    axis = heatmap.YAxisConfig().unit(unit_of(panel.unit)).axis_placement(shapes.AxisPlacement.LEFT)
    return heatmap.Panel().calculate(False).y_axis(axis).cell_gap(0).color(
        heatmap.HeatmapColorOptions().mode(heatmaps.HeatmapColorMode.SCHEME).scheme("Turbo").exponent(0.5).steps(64)
        .scale(heatmaps.HeatmapColorScale.EXPONENTIAL).fill("dark-blue").reverse(False)
    )  # fmt: skip


def _stat(panel: Panel) -> stat.Panel:
    built = stat.Panel().unit(unit_of(panel.unit)).graph_mode(shapes.BigValueGraphMode.NONE)
    built.text_mode(
        shapes.BigValueTextMode.VALUE_AND_NAME if "{{" in panel.queries[0].legend else shapes.BigValueTextMode.VALUE
    )
    built.reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
    if panel.thresholds:
        built.thresholds(_thresholds(panel)).color_mode(shapes.BigValueColorMode.BACKGROUND)
    return built


def _logs(panel: Panel) -> logs.Panel:  # noqa: ARG001 - one shape for all kinds
    return (
        logs.Panel()
        .show_time(True)
        .wrap_log_message(False)
        .enable_log_details(True)
        .sort_order(shapes.LogsSortOrder.DESCENDING)
    )


_VISUALS: Mapping[Kind, Any] = {
    Kind.LINES: _lines, Kind.STACK: _lines, Kind.CELLS: _cells, Kind.HEATMAP: _heat, Kind.STAT: _stat, Kind.LOGS: _logs,
}  # fmt: skip


def _thresholds(panel: Panel) -> dashboard.ThresholdsConfig:
    steps = [
        models.Threshold(value=None if i == 0 else limit.value, color=str(limit.colour))
        for i, limit in enumerate(panel.thresholds)
    ]
    return dashboard.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps(steps)


def unit_of(unit: str) -> str:
    return UNITS.get(unit, f"suffix: {unit}")


def _yaml(document: Mapping[str, Any]) -> str:
    return "# Generated: lab boards build\n" + yaml.safe_dump(document, sort_keys=False)
