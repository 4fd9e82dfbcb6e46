"""Every shipped rule is whole: promtool's cases, a drill, a runbook, labels; and only what pages silences others."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from promql_parser import parse

from alerts import mutants, slo
from alerts.drill import DRILLS, read_drill
from deploy.local.rules import RULES, rule_files, scaled
from deploy.render import render
from target_system import signals

ROOT = Path(__file__).parents[2]
NAMES = [path.stem for path in rule_files()]
METRIC = re.compile(r"(?<![\w\"])([a-z_]+_[a-z_]+|up)(?=\{|\[| |\)|$)")
WORDS = {"group_left", "group_right", "humanize"}


def rule_of(name: str) -> dict[str, Any]:
    groups = yaml.safe_load((RULES / f"{name}.yml").read_text())["groups"]
    assert [len(groups), len(groups[0]["rules"])] == [1, 1], f"{name}.yml holds more than one rule"
    rule: dict[str, Any] = groups[0]["rules"][0]
    return rule


def lacks(rules: Path, drills: Path, runbooks: Path) -> list[str]:
    """What of the four files of a rule is not there."""
    names = {path.stem.removesuffix("_test") for path in rules.glob("*.yml")}
    names |= {path.stem for path in drills.glob("*.yaml")} | {path.stem for path in runbooks.glob("*.md")}
    wanted = [
        path
        for name in sorted(names)
        for path in (
            rules / f"{name}.yml",
            rules / f"{name}_test.yml",
            drills / f"{name}.yaml",
            runbooks / f"{name}.md",
        )
    ]
    return [path.name for path in wanted if not path.exists()]


def test_every_rule_has_cases_for_promtool_a_drill_and_a_runbook() -> None:
    assert lacks(RULES, DRILLS, ROOT / "docs/runbooks") == []
    assert len(NAMES) >= 10


def test_a_deleted_drill_is_noticed(tmp_path: Path) -> None:
    for folder in (RULES, DRILLS, ROOT / "docs/runbooks"):
        shutil.copytree(folder, tmp_path / folder.name)
    (tmp_path / "drills" / f"{NAMES[0]}.yaml").unlink()
    assert lacks(tmp_path / "rules", tmp_path / "drills", tmp_path / "runbooks") == [f"{NAMES[0]}.yaml"]


def test_promtool_accepts_every_rule_and_all_cases_hold() -> None:
    files = [str(path) for path in rule_files()]
    checked = subprocess.run(["promtool", "check", "rules", *files], capture_output=True, text=True, timeout=60)
    assert checked.returncode == 0, checked.stderr
    cases = [str(RULES / f"{name}_test.yml") for name in NAMES]
    tested = subprocess.run(["promtool", "test", "rules", *cases], capture_output=True, text=True, timeout=120)
    assert tested.returncode == 0, tested.stderr


@pytest.mark.parametrize("name", NAMES)
def test_a_rule_says_its_severity_team_summary_and_runbook(name: str) -> None:
    rule = rule_of(name)
    assert rule["alert"] == name
    assert rule["labels"]["severity"] in ("page", "ticket", "none")
    assert rule["labels"]["team"]
    assert rule["annotations"]["summary"]
    assert rule["annotations"]["runbook_url"] == f"docs/runbooks/{name}.md"


@pytest.mark.parametrize("name", NAMES)
def test_a_rule_names_only_declared_signals_in_a_query_that_parses(name: str) -> None:
    expr = rule_of(name)["expr"]
    parse(expr)
    bare = re.sub(r'"[^"]*"', '""', re.sub(r"\b(by|without|on|ignoring) \([^)]*\)", "", expr))
    named = {re.sub(r"_(bucket|count|sum)$", "", metric) for metric in METRIC.findall(bare)} - WORDS
    assert {metric for metric in named if metric not in signals.METRICS} == set()


@pytest.mark.parametrize("name", NAMES)
def test_a_drill_expects_the_severity_that_its_rule_has(name: str) -> None:
    drill, labels = read_drill(name), rule_of(name)["labels"]
    assert (drill.timeline.alert, drill.timeline.severity) in (
        (name, labels["severity"]),
        ("DeadMan", "page"),  # the Watchdog tells by its silence
    )


def configuration() -> str:
    return render(
        "observability/alertmanager.yml", sns_url="http://127.0.0.1:1", topics="arn", region="us-east-1",
        access_key="key", secret_key="secret", messages="sns.tmpl", pagerduty_url="http://127.0.0.1:2",
        routing_key="0" * 32,
    )  # fmt: skip


def alertmanager() -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load(configuration())
    return read


def test_every_rule_goes_to_the_topic_of_its_severity_or_to_its_roles_own_receiver(tmp_path: Path) -> None:
    config = tmp_path / "alertmanager.yml"
    config.write_text(configuration())
    for severity, role in {(rule_of(n)["labels"]["severity"], rule_of(n)["labels"]["role"]) for n in NAMES}:
        asked = ["amtool", "config", "routes", "test", f"--config.file={config}", f"severity={severity}"]
        answer = subprocess.run([*asked, f"role={role}"], capture_output=True, text=True, timeout=60)
        wanted = {"watchdog": "watchdog", "path": "second_channel"}.get(role, severity)
        assert answer.stdout.strip() == wanted, f"{severity} {role}"


def test_only_alerts_that_page_silence_others() -> None:
    for inhibition in alertmanager()["inhibit_rules"]:
        wanted = dict(re.fullmatch(r'(\w+)="(\w+)"', matcher).groups() for matcher in inhibition["source_matchers"])
        assert wanted["severity"] == "page"
        others = {key: value for key, value in wanted.items() if key != "severity"}
        sources = [n for n in NAMES if others.items() <= rule_of(n)["labels"].items()]
        assert sources
        assert {rule_of(name)["labels"]["severity"] for name in sources} == {"page"}


def test_a_symptom_waits_until_the_outage_behind_it_is_known() -> None:
    waits = {route["matchers"][0]: route.get("group_wait") for route in alertmanager()["route"]["routes"]}
    assert waits['role="symptom"'] == "4s"
    assert alertmanager()["route"]["group_wait"] == "0s"


def test_the_burn_rate_rules_are_generated_from_the_one_definition_of_what_is_promised() -> None:
    for burning in slo.BURNS:
        assert (RULES / f"{burning.name}.yml").read_text() == slo.document(burning), "run: python -m alerts.slo"


def test_a_drills_cluster_divides_the_windows_of_burn_rate_rules_and_of_no_other() -> None:
    for burning in slo.BURNS:
        text = scaled((RULES / f"{burning.name}.yml").read_text(), 60.0)
        assert set(re.findall(r"\[\w+\]", text)) == {"[60000ms]", "[5000ms]"}
    assert "[5s]" in scaled((RULES / "PgLockWait.yml").read_text(), 60.0)


def test_a_cluster_that_serves_its_runbooks_says_where() -> None:
    text = scaled((RULES / "DiskFull.yml").read_text(), None, "http://127.0.0.1:9/")
    assert "runbook_url: http://127.0.0.1:9/docs/runbooks/DiskFull.md" in text


@pytest.mark.parametrize("name", ["PgLockWait", "OrderErrorBurn", "DiskFull"])
def test_a_threshold_ten_times_looser_is_caught(name: str) -> None:
    rule = (RULES / f"{name}.yml").read_text()
    looser = {
        "PgLockWait": ("> 1\n", "> 10\n"),
        "OrderErrorBurn": ("> 14.4", "> 144"),
        "DiskFull": ("< 0.05", "< 0.005"),
    }
    text = rule.replace(*looser[name])
    assert text != rule
    assert mutants.is_caught(mutants.Mutant(name, "ten times looser", text), RULES / f"{name}_test.yml")
