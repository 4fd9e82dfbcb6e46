"""The alert rules of alerts/rules as one cluster loads them: burn-rate windows made shorter. Pure.

The files there are what is deployed elsewhere and what promtool tests. A drill cannot wait three days: with every long
window 60 s (so an hour is divided by 60, a day by 1,440) a burn-rate alert takes seconds, and theory says how many.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

RULES = Path(__file__).parents[2] / "alerts" / "rules"
WINDOW = re.compile(r"\[(\d+)([smhd])\]")
UNIT_S = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
BURNS = "slo"
"""The label of the rules whose windows are scaled: which promise they watch."""


def rule_files() -> list[Path]:
    """Without their tests for promtool."""
    return [path for path in sorted(RULES.glob("*.yml")) if not path.stem.endswith("_test")]


def scaled(text: str, long_s: float | None, docs: str = "") -> str:
    """A file of rules. `long_s`: how long the long window of each burn-rate alert is to be; None: as it is.

    `docs`: where the runbooks are served, ending in a slash; else their URLs are paths within the repository.
    """
    document = yaml.safe_load(text)
    for group in document["groups"]:
        for rule in group["rules"]:
            rule["annotations"]["runbook_url"] = docs + rule["annotations"]["runbook_url"]
            if BURNS in rule["labels"] and long_s is not None:
                _scale(rule, long_s)
                group.pop("interval", None)  # short windows are judged each second
    return yaml.safe_dump(document, sort_keys=False)


def window_s(text: str) -> float:
    """`[6h]` or `6h` in seconds."""
    found = WINDOW.fullmatch(f"[{text.strip('[]')}]")
    assert found is not None, f"{text} is no window"
    return int(found[1]) * UNIT_S[found[2]]


def _scale(rule: dict[str, Any], long_s: float) -> None:
    factor = max(window_s(found[0]) for found in WINDOW.finditer(rule["expr"])) / long_s

    def shorter(found: re.Match[str]) -> str:
        return f"[{round(window_s(found[0]) * 1000 / factor)}ms]"

    rule["expr"] = WINDOW.sub(shorter, rule["expr"])
