"""The dead-man's switch by its own clock: silence and old figures page, fresh ones take it back."""

from __future__ import annotations

from dataclasses import dataclass, field

from alerts.subscribers.dead_man import SILENT_AFTER_S, DeadMan
from alerts.subscribers.notice import Alert, Status


@dataclass
class Scene:
    now_s: float = 1_000.0
    paged: list[tuple[str, Status]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.dead_man = DeadMan(
            lambda alerts: self.paged.extend((a.name, a.status) for a in alerts), lambda: self.now_s
        )

    def watchdog(self, data_at: str, status: Status = Status.FIRING) -> None:
        self.dead_man.heard([Alert("Watchdog", status, "none", "", "f", data_at=data_at)])

    def after(self, seconds: float) -> list[tuple[str, Status]]:
        self.now_s += seconds
        self.dead_man.look()
        return self.paged


def test_a_cluster_that_never_had_a_watchdog_pages_nobody() -> None:
    assert Scene().after(1_000) == []


def test_silence_pages_once_and_fresh_figures_take_it_back() -> None:
    scene = Scene()
    scene.watchdog("1000.0")
    assert scene.after(SILENT_AFTER_S - 0.1) == []
    assert scene.after(0.2) == [("DeadMan", Status.FIRING)]
    assert scene.after(5.0) == [("DeadMan", Status.FIRING)]
    scene.watchdog(str(scene.now_s))
    assert scene.after(0.1) == [("DeadMan", Status.FIRING), ("DeadMan", Status.RESOLVED)]


def test_old_figures_that_are_repeated_are_as_good_as_silence() -> None:
    scene = Scene()
    for _ in range(12):
        scene.watchdog("1000.0")
        scene.after(1.0)
    assert scene.paged == [("DeadMan", Status.FIRING)]


def test_a_resolved_watchdog_and_one_without_a_time_prove_nothing() -> None:
    scene = Scene()
    scene.watchdog("1000.0")
    scene.watchdog("1100.0", Status.RESOLVED)
    scene.watchdog("")
    assert scene.after(10.0) == [("DeadMan", Status.FIRING)]
