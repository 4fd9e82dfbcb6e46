"""`lab bench rules`: would promtool's cases notice a rule that is a little wrong? Each rule is changed in one place.

A mutant that no case catches is a survivor: either the case is missing, or the change makes no difference.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from deploy.local.rules import WINDOW, rule_files, window_s

PROMTOOL_DEADLINE_S = 60.0
AT_ONCE = 2
CAUGHT_MIN = 0.95
OPERATORS = {">": ("<", ">="), ">=": (">", "<"), "<": (">", "<="), "==": ("!=",), " and ": (" or ",), " / ": (" * ",)}
COMPARED = re.compile(r"(?<=[=><] )(\d+(?:\.\d+)?)")
COMPARISON = re.compile(r" (>=|>|<|==) | and | / ")
MATCHER = re.compile(r'(\w+)(=~|!~|=)"([^"]*)"')
FUNCTION = re.compile(r"\b(sum|max|min|increase|rate)\b(?= by|\()")
FUNCTIONS = {"sum": "min", "max": "min", "min": "max", "increase": "rate", "rate": "increase"}
NEGATED = {"=": "!=", "=~": "!~", "!~": "=~"}
FACTORS = (0.5, 2)


@dataclass(frozen=True, slots=True)
class Mutant:
    rule: str
    change: str
    text: str


@dataclass(frozen=True, slots=True)
class Verdict:
    mutants: int
    caught: int
    survivors: tuple[str, ...]

    @property
    def share(self) -> float:
        return self.caught / max(self.mutants, 1)


def mutants(path: Path) -> Iterator[Mutant]:
    """Every rule of a file with one thing changed: expression, `for`, severity."""
    document = yaml.safe_load(path.read_text())
    rule = document["groups"][0]["rules"][0]

    def changed(key: str, value: Any, change: str) -> Mutant:
        other = {**rule, key: value}
        return Mutant(path.stem, change, yaml.safe_dump({"groups": [{"name": path.stem, "rules": [other]}]}))

    for text, change in changed_expressions(rule["expr"]):
        yield changed("expr", text, change)
    if "for" in rule:
        seconds = int(rule["for"].removesuffix("s"))
        for other in (0, 2 * seconds):
            yield changed("for", f"{other}s", f"for {seconds}s → {other}s")
    for key in ("severity", "role"):
        yield changed("labels", {**rule["labels"], key: "other"}, f"{key} {rule['labels'][key]} → other")


def changed_expressions(expr: str) -> Iterator[tuple[str, str]]:
    """The expression with one place changed, and what was."""
    yield from _each(expr, COMPARED, lambda m: [f"{float(m[0]) * f:g}" for f in FACTORS] if float(m[0]) else ["1"])
    yield from _each(expr, COMPARISON, _other_operators)
    yield from _each(expr, WINDOW, lambda m: [f"[{round(window_s(m[0]) * f)}s]" for f in FACTORS])
    yield from _each(expr, MATCHER, lambda m: [f'{m[1]}{NEGATED[m[2]]}"{m[3]}"', f'{m[1]}{m[2]}"{m[3]}x"'])
    alike = ("increase", "rate") if expr.strip().endswith("> 0") else ()  # one is above 0 where the other is
    yield from _each(expr, FUNCTION, lambda m: [] if m[0] in alike else [FUNCTIONS[m[0]]])


def _other_operators(found: re.Match[str]) -> list[str]:
    if found[1]:
        return [f" {other} " for other in OPERATORS[found[1]]]
    return list(OPERATORS[found[0]])


def _each(expr: str, form: re.Pattern[str], others: Callable[[re.Match[str]], list[str]]) -> Iterator[tuple[str, str]]:
    for found in form.finditer(expr):
        for other in others(found):
            yield expr[: found.start()] + other + expr[found.end() :], f"{found[0].strip()} → {other.strip()}"


def is_caught(mutant: Mutant, test: Path) -> bool:
    """Whether promtool's cases of the rule fail with it."""
    with TemporaryDirectory() as folder:
        (Path(folder) / f"{mutant.rule}.yml").write_text(mutant.text)
        (Path(folder) / test.name).write_text(test.read_text())
        command = ["promtool", "test", "rules", str(Path(folder) / test.name)]
        done = subprocess.run(command, capture_output=True, timeout=PROMTOOL_DEADLINE_S, check=False)
    return done.returncode != 0


def weigh() -> Verdict:
    """All mutants of all rules against their cases."""
    pairs = [(m, path.with_name(f"{path.stem}_test.yml")) for path in rule_files() for m in mutants(path)]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        caught = list(pool.map(lambda pair: is_caught(*pair), pairs))
    survivors = tuple(f"{m.rule}: {m.change}" for (m, _), was in zip(pairs, caught, strict=True) if not was)
    return Verdict(len(pairs), sum(caught), survivors)
