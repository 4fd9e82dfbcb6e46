"""The alert rules of alerts/rules as one cluster loads them: burn-rate windows divided by a factor. Pure.

The files there are what is deployed elsewhere and what promtool tests. A drill cannot wait a day: with pages scaled by
60 and tickets by 1,440 a burn-rate alert takes seconds, and theory says how many.
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


def scaled(text: str, scales: dict[str, float]) -> str:
    """A file of rules. `scales`: severity → what its burn-rate windows are divided by."""
    document = yaml.safe_load(text)
    for group in document["groups"]:
        for rule in group["rules"]:
            if BURNS in rule["labels"]:
                _scale(rule, scales[rule["labels"]["severity"]])
    return yaml.safe_dump(document, sort_keys=False)


def window_s(text: str) -> float:
    """`[6h]` or `6h` in seconds."""
    found = WINDOW.fullmatch(f"[{text.strip('[]')}]")
    assert found is not None, f"{text} is no window"
    return int(found[1]) * UNIT_S[found[2]]


def _scale(rule: dict[str, Any], factor: float) -> None:
    def shorter(found: re.Match[str]) -> str:
        return f"[{round(window_s(found[0]) * 1000 / factor)}ms]"

    rule["expr"] = WINDOW.sub(shorter, rule["expr"])
