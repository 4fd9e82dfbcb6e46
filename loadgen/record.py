"""A run as it lies on disk: the format, and `Run`, which opens one only after every byte of it was checked.

All that judges a run reads it through here, so an old run can be judged again years later. Nothing here touches the
network or knows how a run comes about; `loadgen.seal` writes what this reads; `loadgen.layout` says what a run holds,
docs/reference/run.md what it means.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import yaml
from hdrh.histogram import HdrHistogram

from loadgen.histogram import new_histogram as new_histogram  # part of the format, for whoever judges a run
from loadgen.layout import MANIFEST, TABLES
from loadgen.manifest import RunError, as_sealed

DIFFERENCES = ("lost", "duplicated", "holes", "mismatched", "in_doubt")
"""Totals of the reconciliation that must be zero."""


@dataclass(frozen=True, slots=True)
class Window:
    """One configuration under load once, measured in [`measured_from_ns`, `measured_until_ns`) after its warm-up."""

    name: str
    parameters: Mapping[str, Any]
    repetition: int
    position: int
    users: int
    think_time_s: float
    rate_per_s: float | None
    started_ns: int
    measured_from_ns: int
    measured_until_ns: int
    ended_ns: int

    @property
    def configuration(self) -> str:
        """The name without the repetition: what windows that are to be compared or pooled share."""
        return self.name.rpartition("/")[0]

    @property
    def duration_s(self) -> float:
        return (self.measured_until_ns - self.measured_from_ns) / 1e9

    def as_row(self) -> dict[str, Any]:
        """As in `windows.parquet`."""
        row = asdict(self)
        return {**row, "window": row["name"], "parameters": json.dumps(self.parameters)}


@dataclass(frozen=True, slots=True)
class Invalidity:
    """Why a window's figures say nothing about the system; `blames` is generator or machine."""

    window: str
    blames: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Machine:
    """Facts of the machine; runs from unlike machines are not compared. A figure that could not be had is None."""

    cores: int
    model: str
    memory_bytes: int
    kernel: str
    disk: str
    fsync_per_s: Mapping[str, float]
    """pg_test_fsync: method → 8 kB writes synced per second. A disk that lies shows as absurdly fast."""
    quotas: str
    """How CPU quotas are enforced ("cgroup v1"), or why they are not ("not applied, ...")."""

    def same_kind(self, other: Machine) -> bool:
        """Alike in all that figures depend on, and that does not change from hour to hour as the rates of syncs do."""
        return self._kind == other._kind

    @property
    def _kind(self) -> tuple[int | str, ...]:
        """Why quotas are not applied may name a file of that run alone."""
        applied = "not applied" if self.quotas.startswith("not applied") else self.quotas
        return self.cores, self.model, self.kernel, self.disk, applied


class Run:
    """A sealed run. Make one with `Run.open(path)`; tables are read when first asked for."""

    def __init__(self, path: Path, manifest: dict[str, Any]) -> None:
        self.path = path
        self._manifest = manifest
        self._about = self._json("run.json")
        self._samples: dict[str, pd.DataFrame] = {}
        self.is_narrowed = False

    @classmethod
    def open(cls, path: Path | str) -> Run:
        """Raises RunError where there is no run of a known format, DamagedRunError naming every file not as sealed."""
        folder = Path(path)
        return cls(folder, as_sealed(folder))

    @staticmethod
    def newest(runs: Path) -> Path:
        """The run that was started last: their names begin with the time. Raises RunError."""
        found = sorted(path.parent for path in runs.glob(f"*/{MANIFEST}"))
        if not found:
            raise RunError(f"{runs}: holds no sealed run; `lab run CAMPAIGN` makes one")
        return found[-1]

    @property
    def id(self) -> str:
        return str(self._manifest["run"])

    @property
    def status(self) -> str:
        """complete or aborted"""
        return str(self._manifest["status"])

    @property
    def prediction(self) -> str | None:
        """The hash of the file in which this run was predicted before it was measured."""
        return self._manifest.get("prediction")

    @property
    def commit(self) -> str:
        """The commit of the lab, with "-dirty" where the tree had changes; "unknown" outside a checkout."""
        return str(self._about["commit"])

    @property
    def seed(self) -> int:
        return int(self._about["seed"])

    @property
    def started_ns(self) -> int:
        return int(self._about["started_ns"])

    @property
    def ended_ns(self) -> int:
        return int(self._about["ended_ns"])

    @property
    def valid(self) -> bool:
        return bool(self._about["valid"])

    @property
    def reasons(self) -> tuple[Invalidity, ...]:
        """Why it is invalid; empty when it is valid."""
        return tuple(Invalidity(**reason) for reason in self._about["reasons"])

    @cached_property
    def campaign(self) -> dict[str, Any]:
        """The campaign as run, in the words of its YAML."""
        loaded: dict[str, Any] = yaml.safe_load((self.path / "campaign.yaml").read_text())
        return loaded

    @cached_property
    def topologies(self) -> dict[str, dict[str, Any]]:
        """Window name → effective topology as plain data; `deploy.topology.Topology.model_validate` reads it."""
        return self._json("topologies.json")

    @cached_property
    def machine(self) -> Machine:
        facts = self._json("machine.json")
        return Machine(**{field.name: facts[field.name] for field in fields(Machine)})

    @cached_property
    def versions(self) -> dict[str, str]:
        return self._json("versions.json")

    @cached_property
    def reconciliation(self) -> dict[str, Any]:
        """Totals, and under "windows" the same by window with every difference listed."""
        return self._json("reconciliation.json")

    @property
    def reconciled(self) -> bool:
        """Whether clients, ledger and journal agree on every command, and no doubt is left."""
        return not any(self.reconciliation[fault] for fault in DIFFERENCES)

    @cached_property
    def logs(self) -> dict[str, dict[str, Any]]:
        return self._json("logs.json")

    @cached_property
    def events(self) -> tuple[dict[str, Any], ...]:
        lines = (self.path / "events.jsonl").read_text().splitlines()
        return tuple(json.loads(line) for line in lines)

    @cached_property
    def windows(self) -> tuple[Window, ...]:
        """In the order as run."""
        rows = pq.read_table(self.path / "windows.parquet").to_pylist()
        windows = (Window(name=row.pop("window"), parameters=json.loads(row.pop("parameters")), **row) for row in rows)
        return tuple(sorted(windows, key=lambda window: window.position))

    def window(self, name: str) -> Window:
        for window in self.windows:
            if window.name == name:
                return window
        known = ", ".join(window.name for window in self.windows)
        raise RunError(f"{self.path}: has no window {name!r}; its windows are {known}")

    def narrowed(self, from_ns: int, until_ns: int) -> Run:
        """The same run as if only that interval of its windows had been measured, where things change within one; its
        `noise` is that of the whole windows still."""
        view = Run(self.path, self._manifest)
        view._samples, view.is_narrowed = self._samples, True
        view.__dict__["acks"] = self.acks
        view.__dict__["windows"] = tuple(
            replace(window, measured_from_ns=from_ns, measured_until_ns=until_ns) for window in self.windows
        )
        return view

    def configurations(self) -> dict[str, tuple[Window, ...]]:
        """Windows of the same parameters, by `Window.configuration`, in the order of the parameters' values."""
        groups: dict[str, list[Window]] = {}
        for window in sorted(self.windows, key=lambda w: ([_sort_key(v) for v in w.parameters.values()], w.repetition)):
            groups.setdefault(window.configuration, []).append(window)
        return {name: tuple(windows) for name, windows in groups.items()}

    @cached_property
    def acks(self) -> pd.DataFrame:
        """Every request sent or tried, warm-up included; `order_id` and `sequence` are 0 where no answer named one."""
        return self._table("acks")

    @cached_property
    def generator(self) -> pd.DataFrame:
        return self._table("generator")

    @cached_property
    def noise(self) -> pd.DataFrame:
        return self._table("noise")

    @cached_property
    def spans(self) -> pd.DataFrame:
        """Spans of the traced orders of every window, the client's among them; `attributes` is JSON."""
        return self._table("spans")

    @cached_property
    def log_lines(self) -> pd.DataFrame:
        """The canonical log lines of the traced orders, as they came back from Loki."""
        return self._table("log_lines")

    @cached_property
    def interventions(self) -> pd.DataFrame:
        """What was turned on the live cluster, and when: one row for each turn of each lever of a proof."""
        return self._table("interventions")

    def latency(
        self,
        window: Window | str | None = None,
        endpoint: str | None = None,
        outcome: str | None = "ok",
        measure: str = "latency",
    ) -> HdrHistogram:
        """The merged histogram (ns) of the requests whose intended send time lies in a measured interval.

        `measure` is "latency" (from the intended send time) or "service" (from the actual one). Errors are no
        latencies: unless asked for by their outcome (or all by None) only answers that are "ok" count.
        """
        rows = self._measured_latency
        rows = rows[rows["measure"] == measure]
        chosen = {"window": _name(window), "endpoint": endpoint, "outcome": outcome}
        for column, value in chosen.items():
            if value is not None:
                rows = rows[rows[column] == value]
        merged = new_histogram()
        for encoded in rows["histogram"]:
            merged.decode_and_add(encoded)
        return merged

    def throughput(self, window: Window | str) -> float:
        """Commands (new orders and cancels) answered "ok" per second of the measured interval."""
        chosen = window if isinstance(window, Window) else self.window(window)
        answered = self._answers_in(chosen)
        return float((answered["outcome"] == "ok").sum()) / chosen.duration_s

    def outcomes(self, window: Window | str, kind: str | None = None) -> dict[str, int]:
        """Outcome → how many requests ended with it in the measured interval, doubtful ones included."""
        chosen = window if isinstance(window, Window) else self.window(window)
        return _counted(self._answers_in(chosen), kind)

    def fates(self, window: Window | str) -> dict[str, int]:
        """Outcome → how many of the requests that were due in the measured interval ended with it, then or later.

        What was abandoned when the generator was stopped is left out: nobody waited for its answer.
        """
        chosen = window if isinstance(window, Window) else self.window(window)
        rows = self.acks
        due = rows["intended_ns"].between(chosen.measured_from_ns, chosen.measured_until_ns, inclusive="left")
        return _counted(rows[(rows["window"] == chosen.name) & due & (rows["outcome"] != "abandoned")])

    def series(self, metric: str, window: Window | str | None = None, component: str | None = None) -> pd.DataFrame:
        """Raw samples by instance and time: window, component, instance, t_ns, value, and one column a label.

        The warm-up is included; `t_ns` tells. Empty where nothing was scraped.
        """
        if metric not in self._samples:
            read = pq.read_table(self.path / "series.parquet", filters=[("metric", "=", metric)])
            self._samples[metric] = read.to_pandas()
        rows = self._samples[metric]
        chosen = {"window": _name(window), "component": component}
        for column, value in chosen.items():
            if value:
                rows = rows[rows[column] == value]
        labels = [json.loads(text) for text in rows["labels"]]
        rows = rows.drop(columns=["metric", "labels"])
        for label in sorted({key for found in labels for key in found}):
            rows[label] = [found.get(label) for found in labels]
        return rows.sort_values(["component", "instance", "t_ns"], kind="stable").reset_index(drop=True)

    @cached_property
    def metrics(self) -> frozenset[str]:
        """Names of the metrics that have samples."""
        return frozenset(pq.read_table(self.path / "series.parquet", columns=["metric"])["metric"].unique().to_pylist())

    @cached_property
    def _measured_latency(self) -> pd.DataFrame:
        rows = self._table("latency")
        first = rows["window"].map({w.name: w.measured_from_ns for w in self.windows})
        last = rows["window"].map({w.name: w.measured_until_ns for w in self.windows})
        start = rows["interval_start_ns"]
        return rows[(start >= first) & (start < last)]

    def _answers_in(self, window: Window) -> pd.DataFrame:
        rows = self.acks
        ended = rows["answered_ns"]
        inside = (ended >= window.measured_from_ns) & (ended < window.measured_until_ns)
        return rows[(rows["window"] == window.name) & inside]

    def _table(self, name: str) -> pd.DataFrame:
        """Empty where the run is older than the table."""
        path = self.path / f"{name}.parquet"
        table: pd.DataFrame = (pq.read_table(path) if path.exists() else TABLES[name].empty_table()).to_pandas()
        return table

    def _json(self, name: str) -> dict[str, Any]:
        loaded: dict[str, Any] = json.loads((self.path / name).read_text())
        return loaded


def _counted(requests: pd.DataFrame, kind: str | None = None) -> dict[str, int]:
    counts = (requests if kind is None else requests[requests["kind"] == kind])["outcome"].value_counts()
    return {str(outcome): int(count) for outcome, count in counts.items()}


def _name(window: Window | str | None) -> str | None:
    return window.name if isinstance(window, Window) else window


def _sort_key(value: Any) -> tuple[bool, float, str]:
    """Numbers by size and before anything else, which goes by its text."""
    number = isinstance(value, int | float)
    return (not number, float(value) if number else 0.0, "" if number else str(value))
