"""Drills on a live cluster: one cluster under a small steady load, one drill after the other, each fault reverted.

Before a drill nothing is pending and what burn-rate windows see is clean; after it every part answers again.
"""

from __future__ import annotations

import json
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from alerts.drill import TOLD_WITHIN_S, Drill, Outcome, Told, is_resolved, judge, read_drill
from alerts.slo import BURNS
from alerts.subscribers import dead_man
from alerts.subscribers.notice import alerts_of
from deploy.cluster import Cluster, ClusterError
from deploy.faults.fault import FaultError, inflicted
from deploy.local.rules import RULES, window_s
from loadgen.campaign import Campaign
from loadgen.steady import steady_load
from target_system.slo import bad_share

PAGE_TIME_SCALE, TICKET_TIME_SCALE = 60.0, 1_440.0
TIME_SCALES = {"page": PAGE_TIME_SCALE, "ticket": TICKET_TIME_SCALE}
DEAD_MAN_WITHIN_S = 10.0
SETTLE_DEADLINE_S = 120.0
LINGER_S = 2.0
POLL_S = 0.05
ASK_DEADLINE_S = 5.0
CLEAN_SHARE, CALM_SHARE = 0.05, 0.5
"""Of a burn-rate threshold: below it a window is clean enough for a drill of that alert, and of another one."""

CAMPAIGN = Campaign.model_validate({
    "name": "drill", "title": "A small steady load under drills", "topology": "unbounded",
    "overrides": {
        "links": ["gateway-ledger"], "ledger.disk_faults": True, "ledger.connections_max": 60,
        "observability.sns": True, "observability.loki": False, "observability.collector": False,
        "observability.boards": False, "observability.process_exporter": False,
        "observability.page_time_scale": PAGE_TIME_SCALE, "observability.ticket_time_scale": TICKET_TIME_SCALE,
    },
    "load": {
        "arrivals": {"kind": "constant", "rate_per_s": 60}, "warm_up_s": 0, "duration_s": 3_600, "timeout_s": 5,
        "in_flight_max": 400,
    },
})  # fmt: skip

Say = Callable[[str], None]


@dataclass(slots=True)
class Witness:
    """What the subscribers of a cluster were told."""

    cluster: Cluster
    since_ns: int = 0
    _seen: int = 0
    told: list[Told] = field(default_factory=list)

    def begin(self, since_ns: int) -> None:
        self.look()
        self.since_ns, self.told = since_ns, []

    def look(self) -> None:
        for receipt in fetch(f"http://{self.cluster.address('subscribers')}/receipts?after={self._seen}"):
            self._seen = receipt["order"]
            at_s = (receipt["arrived_ns"] - self.since_ns) / 1e9
            self.told += [Told(at_s, receipt["channel"], *what) for what in said_in(receipt)]


def said_in(receipt: dict[str, Any]) -> Iterator[tuple[str, str, bool]]:
    """Name, severity and whether it fires, of each alert in a receipt."""
    if receipt["channel"] in ("http", "sqs", "lambda"):
        yield from ((alert.name, alert.severity, alert.is_firing) for alert in alerts_of(receipt["message"]))
    elif receipt["channel"] == "pagerduty":
        event = json.loads(receipt["message"])
        name = event["dedup_key"].partition("/")[0]
        if not name.isalnum() or not name[0].isupper():
            return  # the fingerprint of an alert that came by SNS, which the other channels told
        yield name, "page", event["event_action"] == "trigger"


@dataclass(frozen=True, slots=True)
class Stage:
    """A live cluster on which drills are held."""

    cluster: Cluster
    loaded_since_s: float
    say: Say

    def hold(self, name: str) -> Outcome:
        """One drill, from a quiet cluster to a whole one."""
        drill, witness, problems = read_drill(name), Witness(self.cluster), []
        timeline = drill.timeline
        try:
            self.settle(name)
            with inflicted(self.cluster, drill.fault):
                started_s = time.monotonic()
                witness.begin(time.time_ns())
                self.watch(witness, started_s + timeline.revert_s, lambda: False)
            self.watch(witness, started_s + timeline.resolved_by_s, lambda: is_resolved(drill, witness.told))
            self.watch(witness, time.monotonic() + LINGER_S, lambda: False)
        except (FaultError, ClusterError) as error:
            problems.append(str(error))
        outcome = judge(name, drill, witness.told, predicted_s(name, drill), problems)
        self.say(f"{name}: {drill.fault.kind}, {'; '.join(outcome.problems) or 'proven'}")
        return outcome

    def watch(self, witness: Witness, until_s: float, enough: Callable[[], bool]) -> None:
        while time.monotonic() < until_s and not enough():
            time.sleep(POLL_S)
            witness.look()

    def settle(self, name: str) -> None:
        """Raises ClusterError where an alert stays."""
        deadline_s = time.monotonic() + SETTLE_DEADLINE_S
        while stirring := self.stirring(name):
            if time.monotonic() > deadline_s:
                raise ClusterError(f"before the drill {name}: {stirring} after {SETTLE_DEADLINE_S:g} s of waiting")
            time.sleep(0.2)

    def stirring(self, name: str) -> str:
        """What keeps the drill from beginning; empty if nothing does."""
        url = f"http://{self.cluster.address('alertmanager')}/api/v2/alerts"
        names = [alert["labels"]["alertname"] for alert in fetch(url)]
        names += [series["metric"]["alertname"] for series in self.ask('ALERTS{role!="watchdog"}')]
        stir = sorted(set(names) - {"Watchdog"})
        if stir:
            return f"{', '.join(stir)} still stirs"
        for burning in BURNS:
            long_s = window_s(burning.long) / TIME_SCALES[burning.severity]
            if time.monotonic() - self.loaded_since_s < long_s:
                return "the load is younger than the windows"
            share = self.ask(bad_share(burning.slo, f"{round(long_s * 1000)}ms"))
            clean = CLEAN_SHARE if burning.name == name else CALM_SHARE
            if not share or float(share[0]["value"][1]) > clean * burning.times * burning.slo.budget:
                return f"the window of {burning.name} has seen bad orders"
        return ""

    def ask(self, query: str) -> Any:
        url = f"http://{self.cluster.address('prometheus')}/api/v1/query?"
        return fetch(url + urllib.parse.urlencode({"query": query}))["data"]["result"]


def predicted_s(name: str, drill: Drill) -> float:
    """Threshold alerts: `for` and 3 s at most. Burn-rate alerts: theory. The dead-man: 10 s at most."""
    if drill.timeline.alert == dead_man.NAME:
        return DEAD_MAN_WITHIN_S
    rule = yaml.safe_load((RULES / f"{name}.yml").read_text())["groups"][0]["rules"][0]
    for burning in BURNS:
        if burning.name == name and drill.bad_share:
            return burning.lasts_s(window_s(burning.long) / TIME_SCALES[burning.severity], drill.bad_share)
    return window_s(rule.get("for", "0s")) + TOLD_WITHIN_S


@contextmanager
def staged(say: Say) -> Iterator[Stage]:
    """A cluster of its own under load, taken down at the end."""
    with TemporaryDirectory(prefix="drill-") as scratch:
        folder = Path(scratch)
        topology = CAMPAIGN.plan()[0].topology
        with (
            Cluster.up(topology, folder / "cluster", say=say) as cluster,
            steady_load(cluster, CAMPAIGN, "drill", folder / "receipts", folder / "generator.log"),
        ):
            cluster.await_scraped()
            yield Stage(cluster, time.monotonic(), say)


def hold_all(names: Sequence[str], say: Say) -> list[Outcome]:
    """One after the other on one cluster."""
    with staged(say) as stage:
        return [stage.hold(name) for name in names]


def fetch(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=ASK_DEADLINE_S) as answer:
        return json.load(answer)
