"""Burn-rate alerts from the one definition of what is promised (target_system/slo.py).

`python -m alerts.slo` writes their rules into alerts/rules. Two windows each, after the SRE workbook's chapter 5: the
long one says that it matters, the short one that it still goes on. The text is unscaled; a drill's cluster divides
the windows (deploy/local/rules.py).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import yaml

from deploy.local.rules import RULES, window_s
from target_system.slo import AVAILABILITY, BURN_FAST, BURN_SLOW, LATENCY, Slo, burn

JUDGED = 1_440
"""Times in a long window."""


@dataclass(frozen=True, slots=True)
class Burn:
    """An alert when the budget is spent `times` faster than allowed over both windows.

    Judged 1,440 times in its long window, as a day each minute: each time Prometheus reads all that the windows hold,
    and three days each second cost it a core more with every eight hours that it runs.
    """

    name: str
    slo: Slo
    times: float
    long: str
    short: str
    severity: str

    @property
    def interval(self) -> str:
        milliseconds = round(window_s(self.long) * 1000 / JUDGED)
        return f"{milliseconds // 1000}s" if milliseconds % 1000 == 0 else f"{milliseconds}ms"

    def lasts_s(self, long_s: float, bad_share: float) -> float:
        """Theory: from the first bad order until the long window has burned enough, at a steady share of bad ones."""
        return long_s * self.times * self.slo.budget / bad_share


BURNS = (
    Burn("OrderErrorBurn", AVAILABILITY, BURN_FAST, "1h", "5m", "page"),
    Burn("OrderErrorBurnSlow", AVAILABILITY, BURN_SLOW, "6h", "30m", "page"),
    Burn("OrderErrorTicket", AVAILABILITY, 3, "1d", "2h", "ticket"),
    Burn("OrderErrorTicketSlow", AVAILABILITY, 1, "3d", "6h", "ticket"),
    Burn("AckLatencyBurn", LATENCY, BURN_FAST, "1h", "5m", "page"),
)


def entailed(names: Iterable[str]) -> frozenset[str]:
    """Who burns a budget fast burns it slowly as well: the alerts that follow from these."""
    burning = [each for each in BURNS if each.name in names]
    return frozenset(s.name for f in burning for s in BURNS if s.slo is f.slo and s.times < f.times)


def document(burning: Burn) -> str:
    """The file of rules, as Prometheus loads it."""
    windows = (burning.long, burning.short)
    rule = {
        "alert": burning.name,
        "expr": " and ".join(f"({burn(burning.slo, window)} > {burning.times:g})" for window in windows) + "\n",
        "labels": {"severity": burning.severity, "team": "trading", "role": "symptom", "slo": burning.slo.name},
        "annotations": {
            "summary": f"The budget of orders {burning.slo.promise} burns {{{{ $value | humanize }}}} times too fast",
            "runbook_url": f"docs/runbooks/{burning.name}.md",
        },
    }
    group = {"name": burning.name, "interval": burning.interval, "rules": [rule]}
    text = yaml.safe_dump({"groups": [group]}, sort_keys=False, width=140)
    return f"# Generated: python -m alerts.slo\n{text}"


def main() -> None:
    for burning in BURNS:
        (RULES / f"{burning.name}.yml").write_text(document(burning))


if __name__ == "__main__":
    main()
