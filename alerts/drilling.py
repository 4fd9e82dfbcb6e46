"""Drills on a live cluster: one cluster under a small steady load, one drill after the other, each fault reverted.

Before a drill nothing is pending, and a burn-rate alert's window is clean; after it every part answers again.
"""

from __future__ import annotations

import json
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from alerts.drill import SYMPTOM_WAITS_S, TOLD_WITHIN_S, Drill, Outcome, Told, is_resolved, judge, read_drill
from alerts.slo import BURNS, Burn
from alerts.subscribers import dead_man
from alerts.subscribers.notice import alerts_of
from deploy.cluster import Cluster, ClusterError
from deploy.faults.fault import Fault, FaultError, inflicted
from deploy.local.rules import RULES, window_s
from loadgen.alert_events import alert_events
from loadgen.campaign import Campaign
from loadgen.steady import steady_load
from target_system.slo import bad_share

BURN_WINDOW_S = 60.0
"""The long window of every burn-rate alert: the hour's is divided by 60, the day's by 1,440."""
DEAD_MAN_WITHIN_S = 10.0
SETTLE_DEADLINE_S = 120.0
LINGER_S = 2.0
LOAD_SETTLES_S = 8.0
"""Then the ledger holds orders, and what the start cost is out of most windows."""
POLL_S = 0.05
ASK_DEADLINE_S = 5.0
WINDOWS_LIKE = {"SLOLowTraffic": "OrderErrorBurn"}
"""No burn-rate alert, and it looks at a minute of orders as well."""
CLEAN_SHARE = 0.05
"""Of a burn-rate threshold: below it its window is clean."""

CAMPAIGN: dict[str, Any] = {
    "name": "drill", "title": "A small steady load under drills", "topology": "unbounded",
    "overrides": {
        "links": ["gateway-ledger", "market_data-engine"], "ledger.disk_faults": True, "ledger.connections_max": 60,
        "engine.cpu_cores": 0.25, "gateways.clock_faults": True,
        "limits.total_per_s": 500, "market_data.replicas": 1, "history.replicas": 1,
        "observability.sns": True, "observability.loki": False, "observability.collector": False,
        "observability.boards": False, "observability.process_exporter": False,
        "observability.burn_window_s": BURN_WINDOW_S,
    },
    "load": {"warm_up_s": 0, "duration_s": 3_600, "timeout_s": 5, "in_flight_max": 400},
}  # fmt: skip
STEADY = {"kind": "constant", "rate_per_s": 60}

Say = Callable[[str], None]


@dataclass(slots=True)
class Witness:
    """What the subscribers of a cluster were told."""

    cluster: Cluster
    since_ns: int = 0
    _seen: int = 0
    told: list[Told] = field(default_factory=list)
    _keys: dict[str, str] = field(default_factory=dict)

    def begin(self, since_ns: int) -> None:
        self.look()
        self.since_ns, self.told = since_ns, []

    def look(self) -> None:
        for receipt in fetch(f"http://{self.cluster.address('subscribers')}/receipts?after={self._seen}"):
            self._seen = receipt["order"]
            at_s = (receipt["arrived_ns"] - self.since_ns) / 1e9
            for name, severity, is_firing, started_at in said_in(receipt, self._keys):
                fired_s = datetime.fromisoformat(started_at).timestamp() - self.since_ns / 1e9 if started_at else None
                self.told.append(Told(at_s, receipt["channel"], receipt["topic"], name, severity, is_firing, fired_s))


def said_in(receipt: dict[str, Any], keys: dict[str, str]) -> Iterator[tuple[str, str, bool, str]]:
    """Name, severity, whether it fires, and since when, of each alert in a receipt.

    `keys`: PagerDuty's deduplication key → name, kept from one receipt to the next: an end comes without the name.
    """
    if receipt["channel"] in ("http", "sqs", "lambda"):
        for alert in alerts_of(receipt["message"]):
            yield alert.name, alert.severity, alert.is_firing, alert.started_at
    elif receipt["channel"] == "pagerduty":
        event = json.loads(receipt["message"])
        is_firing, key = event["event_action"] == "trigger", event["dedup_key"]
        if is_firing:
            keys[key] = event["payload"]["class"]
        yield keys.get(key, key), "page", is_firing, ""


@dataclass(frozen=True, slots=True)
class Stage:
    """A live cluster under load, on which drills are held."""

    cluster: Cluster
    loaded_since_s: float
    say: Say

    def hold(self, name: str) -> Outcome:
        """One drill, from a quiet cluster to a whole one."""
        drill, witness, problems = read_drill(name), Witness(self.cluster), []
        timeline = drill.timeline
        try:
            self.settle(name)
            with self.struck(drill.besides), inflicted(self.cluster, drill.fault):
                started_s = time.monotonic()
                witness.begin(time.time_ns())
                self.watch(witness, started_s + timeline.revert_s, lambda: False)
            self.watch(witness, started_s + timeline.resolved_by_s, lambda: is_resolved(drill, witness.told))
            self.watch(witness, time.monotonic() + LINGER_S, lambda: False)
        except (FaultError, ClusterError) as error:
            problems.append(str(error))
        outcome = judge(name, drill, witness.told, predicted_s(name, drill), problems)
        outcome = replace(outcome, remedied_s=remedied_s(self.cluster, witness.since_ns))
        self.say(f"{name}: {drill.fault.kind}, {'; '.join(outcome.problems) or 'proven'}")
        return outcome

    def struck(self, fault: Fault | None) -> AbstractContextManager[None]:
        return nullcontext() if fault is None else inflicted(self.cluster, fault)

    def watch(self, witness: Witness, until_s: float, enough: Callable[[], bool]) -> None:
        while time.monotonic() < until_s and not enough():
            time.sleep(POLL_S)
            witness.look()

    def settle(self, name: str) -> None:
        """Raises ClusterError where an alert stays."""
        deadline_s = time.monotonic() + SETTLE_DEADLINE_S
        while stirring := self.stirring(name):
            if time.monotonic() > deadline_s:
                raise ClusterError(f"before {name}: {stirring} after {SETTLE_DEADLINE_S:g} s of waiting")
            time.sleep(0.2)

    def stirring(self, name: str) -> str:
        """What keeps the drill from beginning; empty if nothing does."""
        url = f"http://{self.cluster.address('alertmanager')}/api/v2/alerts"
        names = [alert["labels"]["alertname"] for alert in fetch(url)]
        names += [series["metric"]["alertname"] for series in self.ask('ALERTS{role!="watchdog"}')]
        stir = sorted(set(names) - {"Watchdog"})
        if stir:
            return f"{', '.join(stir)} still stirs"
        if time.monotonic() - self.loaded_since_s < LOAD_SETTLES_S:
            return "the load has just begun"
        for burning in BURNS:
            if burning.name in (name, WINDOWS_LIKE.get(name)):
                return self.unclean(burning)
        return ""

    def unclean(self, burning: Burn) -> str:
        if time.monotonic() - self.loaded_since_s < BURN_WINDOW_S:
            return "the load is younger than the windows"
        share = self.ask(bad_share(burning.slo, f"{round(BURN_WINDOW_S * 1000)}ms"))
        if not share or float(share[0]["value"][1]) > CLEAN_SHARE * burning.times * burning.slo.budget:
            return f"the window of {burning.name} has seen bad orders"
        return ""

    def ask(self, query: str) -> Any:
        url = f"http://{self.cluster.address('prometheus')}/api/v1/query?"
        return fetch(url + urllib.parse.urlencode({"query": query}))["data"]["result"]


def remedied_s(cluster: Cluster, since_ns: int) -> float | None:
    """When a remediation was done, by its audit."""
    events = alert_events(cluster, since_ns) if since_ns else []
    done = (e["t_ns"] for e in events if e["kind"] == "remedied" and e["said"].endswith(": done"))
    at_ns = min(done, default=None)
    return None if at_ns is None else (at_ns - since_ns) / 1e9


def predicted_s(name: str, drill: Drill) -> float:
    """Thresholds: when it is due, `for`, the group's wait, 3 s at most. Burn rates: theory. The dead-man: 10 s."""
    if drill.timeline.alert == dead_man.NAME:
        return DEAD_MAN_WITHIN_S
    for burning in BURNS:
        if burning.name == name and drill.bad_share:
            return burning.lasts_s(BURN_WINDOW_S, drill.bad_share)
    rule = yaml.safe_load((RULES / f"{name}.yml").read_text())["groups"][0]["rules"][0]
    waits_s = SYMPTOM_WAITS_S if rule["labels"]["role"] == "symptom" else 0.0
    return drill.due_s + window_s(rule.get("for", "0s")) + waits_s + TOLD_WITHIN_S


def under(arrivals: dict[str, Any]) -> Campaign:
    return Campaign.model_validate({**CAMPAIGN, "load": {**CAMPAIGN["load"], "arrivals": arrivals}})


@contextmanager
def loaded(cluster: Cluster, arrivals: dict[str, Any], say: Say) -> Iterator[Stage]:
    """The cluster under a load of the drills' kind, as long as the block takes."""
    campaign = under(arrivals)
    with TemporaryDirectory(prefix="load-") as folder:
        log = Path(folder) / "generator.log"
        with steady_load(cluster, campaign, f"drill{time.time_ns()}", Path(folder) / "receipts", log):
            yield Stage(cluster, time.monotonic(), say)


@contextmanager
def staged(say: Say) -> Iterator[Cluster]:
    """A cluster of its own, taken down at the end."""
    with (
        TemporaryDirectory(prefix="drill-") as scratch,
        Cluster.up(under(STEADY).plan()[0].topology, Path(scratch) / "cluster", say=say) as cluster,
    ):
        cluster.await_scraped()
        yield cluster


def hold_all(names: Sequence[str], say: Say) -> list[Outcome]:
    """One after the other on one cluster; those that want the same rate of orders together."""
    outcomes = []
    with staged(say) as cluster:
        for rate, same in groupby(sorted(names, key=rate_of), rate_of):
            with loaded(cluster, STEADY | {"rate_per_s": rate}, say) as stage:
                outcomes += [stage.hold(name) for name in same]
    return outcomes


def rate_of(name: str) -> float:
    return read_drill(name).rate_per_s


def fetch(url: str) -> Any:
    """Raises ClusterError where nothing answers in time: one drill is lost by it, and not those after it."""
    try:
        with urllib.request.urlopen(url, timeout=ASK_DEADLINE_S) as answer:
            return json.load(answer)
    except OSError as error:
        raise ClusterError(f"{url} does not answer: {error}; look at lab status") from error
