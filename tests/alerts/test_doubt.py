"""Ends that came while the dead-man was up, by a clock of the test's own: kept, taken back or believed later."""

from __future__ import annotations

from dataclasses import dataclass, field

import yaml

from alerts.drill import SYMPTOM_WAITS_S, TOLD_WITHIN_S
from alerts.subscribers.doubt import BELIEVED_AFTER_S, KEPT_MAX, Doubt, Ended
from alerts.subscribers.notice import Alert, Status
from deploy.local.rules import rule_files, window_s


def alert(status: Status, fingerprint: str = "f") -> Alert:
    return Alert("Trouble", status, "page", "", fingerprint)


ENDED, FIRING = alert(Status.RESOLVED), alert(Status.FIRING)


@dataclass
class Scene:
    now_s: float = 1_000.0
    doubt: Doubt = field(init=False)

    def __post_init__(self) -> None:
        self.doubt = Doubt(lambda: self.now_s)

    def after(self, seconds: float, is_dead: bool = False) -> list[Ended]:
        self.now_s += seconds
        return self.doubt.settled(is_dead)


def test_an_end_passes_unless_the_dead_man_is_up_and_a_page_always_does() -> None:
    doubt = Scene().doubt
    assert doubt.sift("page", [ENDED, alert(Status.FIRING, "g")], is_dead=False) == [
        ENDED,
        alert(Status.FIRING, "g"),
    ]
    assert doubt.sift("page", [ENDED, alert(Status.FIRING, "g")], is_dead=True) == [alert(Status.FIRING, "g")]


def test_an_end_in_doubt_is_told_once_when_figures_have_been_fresh_long_enough() -> None:
    scene = Scene()
    scene.doubt.sift("page", [ENDED], is_dead=True)
    assert scene.after(1_000.0, is_dead=True) == []
    assert scene.after(0.0) == []
    assert scene.after(BELIEVED_AFTER_S - 0.1) == []
    assert scene.after(0.2) == [Ended("page", ENDED)]
    assert scene.after(100.0) == []


def test_figures_that_are_old_again_begin_the_wait_anew() -> None:
    scene = Scene()
    scene.doubt.sift("page", [ENDED], is_dead=True)
    scene.after(0.0)
    assert scene.after(BELIEVED_AFTER_S - 1.0, is_dead=True) == []
    assert scene.after(2.0) == []
    assert scene.after(BELIEVED_AFTER_S) == [Ended("page", ENDED)]


def test_an_alert_that_fires_again_takes_its_end_back_and_a_believed_end_is_not_told_twice() -> None:
    for newer in (FIRING, ENDED):
        scene = Scene()
        scene.doubt.sift("page", [ENDED], is_dead=True)
        scene.after(0.0)
        assert scene.doubt.sift("page", [newer], is_dead=False) == [newer]
        assert scene.after(BELIEVED_AFTER_S) == []


def test_the_ends_in_doubt_are_bounded() -> None:
    doubt = Scene().doubt
    doubt.sift("page", [alert(Status.RESOLVED, str(n)) for n in range(KEPT_MAX + 5)], is_dead=True)
    assert len(doubt) == KEPT_MAX


def test_every_shipped_rule_that_still_holds_is_told_again_before_its_end_is_believed() -> None:
    rules = [yaml.safe_load(path.read_text())["groups"][0]["rules"][0] for path in rule_files()]
    longest_s = max(window_s(rule.get("for", "0s")) for rule in rules)
    assert longest_s + SYMPTOM_WAITS_S + TOLD_WITHIN_S < BELIEVED_AFTER_S
