"""A campaign: which configurations to load, how, how often and in which order. One YAML file; a value, no side effects.

`Campaign.read(path)` reads one and says every fault at once with its line; `plan()` lays out its windows. A campaign
names a topology of `deploy/topologies` and varies it, or the load, along `sweep`: dotted names of the topology
(`gateways`, `ledger.cpu_cores`) or of the load (`load.users`) → values. Every repetition runs each configuration once,
in an order of its own drawn from the seed, so a machine that drifts drifts under all of them alike.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import Field, PositiveFloat, PositiveInt, ValidationError, model_validator

from deploy import documents
from deploy.documents import DocumentError, Fault
from deploy.faults.catalogue import AnyFault
from deploy.topology import Topology, TopologyError
from loadgen.arrivals import Constant, Poisson, Rate
from loadgen.load import Load, Section

TOPOLOGIES = Path(__file__).resolve().parent.parent / "deploy" / "topologies"
RATE = "load.arrivals.rate_per_s"
"""What a search varies."""

Share = Annotated[float, Field(ge=0, le=1)]
Values = Annotated[list[int | float | str | bool], Field(min_length=1)]


class CampaignError(DocumentError):
    """What is wrong with a campaign, all of it."""


class Flow(Section):
    """The shares of adds near the touch, cancels and takers among the commands; what kinds of takers, and how many
    cancels replace the order instead (`loadgen.order_flow.Mix`); and how many of the accounts trade."""

    add: Share = 0.60
    cancel: Share = 0.25
    take: Share = 0.15
    market: Share = 0.5
    ioc: Share = 0.0
    replace: Share = 0.0
    accounts: PositiveInt = 8

    @model_validator(mode="after")
    def _shares_sum_to_one(self) -> Self:
        total = self.add + self.cancel + self.take
        if abs(total - 1) > 1e-6:
            raise ValueError(f"add + cancel + take is {total:g}; make it 1")
        return self


class Regression(Section):
    """`baseline` is a run that lies beside this one; a change that is found may make a figure worse by `change_max`."""

    baseline: Annotated[str, Field(pattern=r"^[0-9A-Za-z_-]+$")]
    change_max: Annotated[float, Field(gt=0, lt=1)] = 0.05


class Gates(Section):
    """What each configuration must keep, else the run's exit code is 3; judged by `analysis.gates`."""

    p50_ms: PositiveFloat | None = None
    p99_ms: PositiveFloat | None = None
    p99_9_ms: PositiveFloat | None = None
    orders_per_s: PositiveFloat | None = None
    error_share: Share | None = None
    reconciled: bool = False
    regression: Regression | None = None


class Timed(Section):
    """A fault of deploy/faults, `at_s` after the measured part began, for `for_s` (0: struck and at once let go)."""

    at_s: Annotated[float, Field(ge=0)]
    for_s: Annotated[float, Field(ge=0)] = 0.0
    fault: AnyFault


class Prove(Section):
    """How a proof turns the levers of one configuration: in so many rounds each of them less, as it is, and more.

    `configuration`: swept name → value, of the one to be proven; left out, the one that carried most. `levers`: which,
    by name; left out, the three likeliest.
    """

    configuration: dict[str, int | float | str | bool] = Field(default={})
    levers: tuple[str, ...] = ()
    rounds: Annotated[int, Field(ge=5, le=50)] = 5
    turn_s: Annotated[float, Field(ge=2, le=60)] = 4.5
    settle_s: Annotated[float, Field(ge=0.2, le=30)] = 1.0

    @model_validator(mode="after")
    def _leaves_time_to_measure(self) -> Self:
        if self.settle_s > self.turn_s / 2:
            raise ValueError(f"settles for {self.settle_s:g} of {self.turn_s:g} s; make turn_s at least twice that")
        return self

    def duration_s(self, levers: int) -> float:
        """Of all turns: three a round for each lever."""
        return self.rounds * 3 * levers * self.turn_s


class Search(Section):
    """Finds the highest rate at which every answer keeps the SLO, between two rates, by one window a probe."""

    p99_ms: PositiveFloat
    error_share: Annotated[float, Field(gt=0, le=1)] = 0.01
    from_per_s: Rate
    to_per_s: Rate
    probes_max: Annotated[int, Field(ge=3, le=10)] = 10

    @model_validator(mode="after")
    def _goes_up(self) -> Self:
        if self.from_per_s >= self.to_per_s:
            raise ValueError(f"goes from {self.from_per_s:g} to {self.to_per_s:g}; let to_per_s be the larger")
        return self


class Short(Section):
    """What a run with --short changes: the same campaign, smaller."""

    repetitions: PositiveInt | None = None
    warm_up_s: Annotated[float, Field(ge=0)] | None = None
    duration_s: PositiveFloat | None = None
    sweep: dict[str, Values] | None = None
    faults: tuple[Timed, ...] | None = None
    prove: Prove | None = None
    search: Search | None = None


@dataclass(frozen=True, slots=True)
class PlannedWindow:
    """One configuration, loaded once, named configuration/repetition; `position` counts from 0 as run."""

    name: str
    parameters: Mapping[str, Any]
    repetition: int
    position: int
    load: Load
    topology: Topology


class Campaign(Section):
    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
    title: str
    topology: str = Field(description="a file of deploy/topologies, without .yaml")
    overrides: dict[str, Any] = Field(default={}, description="dotted name of the topology → value, for every window")
    sweep: dict[str, Values] = Field(default={})
    load: Load
    flow: Flow = Flow()
    repetitions: Annotated[int, Field(gt=0, le=1000)] = 1
    order: Literal["random", "listed"] = "random"
    seed: Annotated[int, Field(ge=0)] = 1
    standing: tuple[AnyFault, ...] = Field(
        default=(), description="faults that last through every window, its warm-up too"
    )
    faults: tuple[Timed, ...] = ()
    search: Search | None = None
    prove: Prove | None = None
    gates: Gates = Gates()
    short: Short | None = None

    @classmethod
    def read(cls, path: Path | str, short: bool = False) -> Campaign:
        """The campaign of a file, or its smaller self. Raises CampaignError with every fault."""
        try:
            campaign = documents.load(cls, Path(path), lambda found: [*found.problems(), *found.shortened().problems()])
        except DocumentError as error:
            raise CampaignError(error.faults) from error
        return campaign.shortened() if short else campaign

    def shortened(self) -> Campaign:
        """With what `short` says in the place of the usual; the same campaign where it has no `short`."""
        if self.short is None:
            return self
        change = {name: value for name, value in self.short if value is not None}
        load = self.load.model_copy(
            update={key: change.pop(key) for key in ("warm_up_s", "duration_s") if key in change}
        )
        return self.model_copy(update={**change, "load": load, "short": None})

    def with_workers(self, workers: int | None, hosts: Sequence[str] = ()) -> Campaign:
        """Loaded by so many generator processes here, and one on each host; without either as it is. Raises
        CampaignError."""
        update = ({} if workers is None else {"workers": workers}) | ({"hosts": tuple(hosts)} if hosts else {})
        try:
            load = Load.model_validate(self.load.model_dump() | update)
        except ValidationError as error:
            raise CampaignError(
                documents.fault_text(Fault(("load", *fault.where), fault.what))
                for fault in documents.field_faults(Load, error)
            ) from error
        if faults := load.faults(_cores()):
            raise CampaignError(documents.fault_text(fault) for fault in faults)
        return self.model_copy(update={"load": load})

    def as_yaml(self) -> str:
        return yaml.safe_dump(self.model_dump(mode="json", exclude_none=True), sort_keys=False, allow_unicode=True)

    def plan(self) -> list[PlannedWindow]:
        """Every window in the order of running: randomised blocks, one a repetition.

        Of a search, as many windows as it may take, at the rate of `load`; `loadgen.search` gives each its own.
        """
        draw = Random(f"{self.seed}/order")
        base = Topology.load(TOPOLOGIES / f"{self.topology}.yaml")
        windows: list[PlannedWindow] = []
        for repetition in range(1, (self.search.probes_max if self.search else self.repetitions) + 1):
            block = list(self._configurations())
            if self.order == "random":
                draw.shuffle(block)
            for parameters in block:
                load, topology = self._configured(base, parameters)
                name = f"{configuration_name(parameters)}/{repetition}"
                windows.append(PlannedWindow(name, parameters, repetition, len(windows), load, topology))
        return windows

    def duration_s(self) -> float:
        """Time under load in all; renewing the cluster between windows comes on top."""
        return sum(window.load.warm_up_s + window.load.duration_s for window in self.plan())

    def problems(self) -> list[Fault]:
        """What is wrong across fields."""
        found = [
            Fault(("sweep", key), f"names {value} twice; repeat a window by repetitions")
            for key, values in self.sweep.items()
            for value in {str(value): value for value in values if values.count(value) > 1}.values()
        ]
        found += [
            Fault(
                ("faults", at),
                f"ends {timed.at_s + timed.for_s:g} s into a window of {self.load.duration_s:g} s; shorten it",
            )
            for at, timed in enumerate(self.faults)
            if timed.at_s + timed.for_s >= self.load.duration_s
        ]
        if self.search and not isinstance(self.load.arrivals, Constant | Poisson):
            found.append(Fault(("search",), "needs a rate to vary; give load.arrivals the kind poisson or constant"))
        if self.search and RATE in self.sweep:
            found.append(Fault(("sweep", RATE), "is what the search varies; remove it"))
        path = TOPOLOGIES / f"{self.topology}.yaml"
        if not path.is_file():
            known = ", ".join(sorted(file.stem for file in TOPOLOGIES.glob("*.yaml")))
            return [
                *found,
                Fault(("topology",), f"is {self.topology}, which is no file of deploy/topologies; use {known}"),
            ]
        try:
            base = Topology.load(path)
        except TopologyError as error:
            return [*found, Fault(("topology",), str(error))]
        return found + [fault for parameters in self._configurations() for fault in self._misfits(base, parameters)]

    def _misfits(self, base: Topology, parameters: Mapping[str, Any]) -> Iterator[Fault]:
        named = configuration_name(parameters)
        try:
            load, topology = self._configured(base, parameters)
        except TopologyError as error:
            yield from (Fault(("sweep",), f"{named}: {fault}") for fault in error.faults)
        except ValidationError as error:
            yield from (
                Fault(("sweep", ".".join(["load", *(str(part) for part in self._swept(fault.where))])), fault.what)
                for fault in documents.field_faults(Load, error)
            )
        else:
            cores = _cores()
            yield from load.faults(cores)
            yield from (Fault(("sweep",), f"{named}: {documents.fault_text(f)}") for f in topology.faults(cores))
            for at, timed in enumerate(self.faults):
                if misfit := timed.fault.misfit(topology):
                    yield Fault(("faults", at, "fault"), misfit)
            for at, fault in enumerate(self.standing):
                if misfit := fault.misfit(topology):
                    yield Fault(("standing", at), misfit)
            if load.watchers.kind != "none" and not topology.market_data.replicas:
                yield Fault(("load", "watchers"), "have no market data to watch; set overrides market_data.replicas: 1")
            if self.flow.accounts > topology.accounts:
                yield Fault(
                    ("flow", "accounts"),
                    f"is {self.flow.accounts}; the topology has {topology.accounts}, use at most those",
                )

    def _swept(self, where: documents.Where) -> documents.Where:
        """The swept name that a fault of the load is about: `arrivals.rate_per_s`, without the kind in between."""
        known = [key.removeprefix("load.").split(".") for key in self.sweep]
        return next((tuple(names) for names in known if names[0] == where[0] and names[-1] == where[-1]), where)

    def _configurations(self) -> Iterator[dict[str, Any]]:
        for values in itertools.product(*self.sweep.values()):
            yield dict(zip(self.sweep, values, strict=True))

    def _configured(self, base: Topology, parameters: Mapping[str, Any]) -> tuple[Load, Topology]:
        """Raises TopologyError for what the topology does not take, ValidationError for what the load does not."""
        of_load = {key.removeprefix("load."): value for key, value in parameters.items() if key.startswith("load.")}
        of_topology = {key: value for key, value in parameters.items() if not key.startswith("load.")}
        load = self.load.with_overrides(of_load)
        return load, base.with_overrides({**self.overrides, **of_topology})


def _cores() -> int:
    return len(os.sched_getaffinity(0))


def configuration_name(parameters: Mapping[str, Any]) -> str:
    """`gateways=2`, `gateways=2,users=40`; `base` where nothing is swept."""
    return ",".join(f"{key.removeprefix('load.')}={value}" for key, value in parameters.items()) or "base"
