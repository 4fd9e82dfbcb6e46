"""Brings a Grafana that runs elsewhere to the lab's boards: folder, data sources, boards. What is so stays untouched.

First `compare` says what differs, then `apply` writes that and nothing else; a second push finds nothing to do.
"""

from __future__ import annotations

import difflib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

from grafana_client.api import GrafanaApi
from grafana_client.client import GrafanaClientError, GrafanaException

from dashboards.catalogue import BOARDS
from dashboards.grafana import FOLDER_TITLE, FOLDER_UID, data_sources, text_of

DEADLINE_S = 10.0
NOT_FOUND = 404
OF_GRAFANA = ("id", "version")
"""Keys of a board that Grafana gives it."""
DIFF_LINES_MAX = 40


class PushError(Exception):
    """Grafana did not take what it was sent; the text says what it said."""


class What(StrEnum):
    CREATE = "create"
    CHANGE = "change"
    KEEP = "keep"


class Thing(StrEnum):
    FOLDER = "folder"
    SOURCE = "data source"
    BOARD = "board"


@dataclass(frozen=True, slots=True)
class Step:
    what: What
    thing: Thing
    uid: str
    wanted: Mapping[str, Any]
    diff: tuple[str, ...] = ()


def client(url: str) -> Any:
    """`url` may carry user:password; a token in GRAFANA_TOKEN goes before it."""
    return GrafanaApi.from_url(url, credential=os.environ.get("GRAFANA_TOKEN"), timeout=DEADLINE_S)


def compare(grafana: Any, prometheus_url: str, loki_url: str) -> list[Step]:
    """What is to be done, in order. Only reads. Raises PushError."""
    return [*_steps(grafana, prometheus_url, loki_url)]


def _steps(grafana: Any, prometheus_url: str, loki_url: str) -> Iterator[Step]:
    yield _step(Thing.FOLDER, FOLDER_UID, {"title": FOLDER_TITLE}, _found(grafana.folder.get_folder, FOLDER_UID))
    for source in data_sources(prometheus_url, loki_url):
        yield _step(
            Thing.SOURCE, source["uid"], source, _found(grafana.datasource.get_datasource_by_uid, source["uid"])
        )
    for board in BOARDS:
        found = _found(grafana.dashboard.get_dashboard, board.uid)
        yield _step(Thing.BOARD, board.uid, json.loads(text_of(board)), found and found["dashboard"])


def apply(grafana: Any, steps: list[Step]) -> None:
    """Raises PushError."""
    for step in steps:
        if step.what is not What.KEEP:
            try:
                _write(grafana, step)
            except GrafanaException as error:
                raise PushError(f"{step.thing} {step.uid}: Grafana refused it: {error}") from error
            except OSError as error:
                raise PushError(f"{step.thing} {step.uid}: Grafana did not answer: {error}") from error


def _write(grafana: Any, step: Step) -> None:
    match step.thing, step.what:
        case Thing.FOLDER, What.CREATE:
            grafana.folder.create_folder(step.wanted["title"], step.uid)
        case Thing.FOLDER, _:
            grafana.folder.update_folder(step.uid, step.wanted["title"], overwrite=True)
        case Thing.SOURCE, What.CREATE:
            grafana.datasource.create_datasource(dict(step.wanted))
        case Thing.SOURCE, _:
            grafana.datasource.update_datasource_by_uid(step.uid, dict(step.wanted))
        case _:
            message = {"folderUid": FOLDER_UID, "overwrite": True, "message": "lab boards push"}
            grafana.dashboard.update_dashboard({"dashboard": dict(step.wanted), **message})


def _step(thing: Thing, uid: str, wanted: Mapping[str, Any], found: Mapping[str, Any] | None) -> Step:
    if found is None:
        return Step(What.CREATE, thing, uid, wanted)
    present = {
        key: value for key, value in found.items() if key not in OF_GRAFANA and (key in wanted or thing is Thing.BOARD)
    }
    diff = tuple(difflib.unified_diff(_lines(present), _lines(wanted), "in Grafana", "in the lab", n=1, lineterm=""))
    return Step(What.CHANGE if diff else What.KEEP, thing, uid, wanted, diff[:DIFF_LINES_MAX])


def _lines(content: Mapping[str, Any]) -> list[str]:
    return json.dumps(content, indent=1, sort_keys=True).splitlines()


def _found(get: Any, uid: str) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = get(uid)
    except GrafanaClientError as error:
        if error.status_code == NOT_FOUND:
            return None
        raise PushError(f"Grafana refused to show {uid}: {error}") from error
    except (GrafanaException, OSError) as error:
        raise PushError(f"Grafana did not show {uid}: {error}") from error
    return found


def without_password(url: str) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
