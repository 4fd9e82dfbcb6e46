"""Why a stage holds orders: the part that does the work itself, what it sleeps on, or the way to it.

Told apart by what the part at the other end says of its own time, and by how soon it answers when it is asked past the
network's proxies: what a gateway waits longer than the engine works, syncs or keeps silent passed between them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from analysis.finding import Figure, Mechanism, in_words
from analysis.measured import Configuration
from analysis.memo import remembered
from analysis.saturation import CPU
from analysis.series import counter
from loadgen.record import Run

OWN = 0.5
"""Share of a stage that the part's own time explains, from which on the part is meant and not the way to it."""
COMMITS_A_WAIT = 1.5
"""A record that comes while a sync is under way waits for the rest of that one and for its own."""
ASKED, ANSWER_SECONDS = "cluster_asked_total", "cluster_answer_seconds_total"
SILENT_MS = 10.0
"""An answer that comes sooner is nobody's silence: Postgres starts a process for each that asks, which takes 5 ms."""
FULL = 0.99
"""A processor's share from which on a queue before it is not computed any more."""
ANSWERING = 0.2
"""Commands that Redis carried out for each order, below which it is Redis that does not answer."""


@dataclass(frozen=True, slots=True)
class Cause:
    component: str
    mechanism: Mechanism
    why: str = ""
    evidence: tuple[Figure, ...] = ()


@remembered
def answer_ms(run: Run, configuration: Configuration, component: str) -> float | None:
    """Mean over the questions of all its instances; None where nobody asked."""
    asked = answered_s = 0.0
    for window in configuration.windows:
        questions, seconds = (counter(run, metric, window, component) for metric in (ASKED, ANSWER_SECONDS))
        if questions is not None and seconds is not None:
            asked, answered_s = asked + float(questions.sum()), answered_s + float(seconds.sum())
    return 1e3 * answered_s / asked if asked else None


def is_silence(took_ms: float, held_ms: float) -> bool:
    """Whether an answer that took so long explains that orders are held so long."""
    return took_ms >= max(SILENT_MS, OWN * held_ms)


def answer_figure(component: str, took_ms: float) -> Figure:
    return Figure(f"answer of {in_words(component)} to a question", took_ms, "ms")


def silence(run: Run, configuration: Configuration, components: Iterable[str], held_ms: float) -> Cause | None:
    """The first of these that, asked directly, keeps silent long enough to explain the time an order is held."""
    for component in components:
        took_ms = answer_ms(run, configuration, component)
        if took_ms is not None and is_silence(took_ms, held_ms):
            return Cause(
                component,
                Mechanism.RESPONSE,
                f"and {in_words(component)} took {took_ms:.1f} ms to answer when asked directly",
                (answer_figure(component, took_ms),),
            )
    return None


def of_engine(run: Run, configuration: Configuration, stage_ms: float, per_s: float) -> Cause:
    """The engine's queue and book, its journal's sync, or the way to it."""
    del per_s
    sync_ms = COMMITS_A_WAIT * _mean_ms(run, configuration, "engine_sync_duration_seconds")
    book_ms = sum(
        _mean_ms(run, configuration, metric)
        for metric in ("engine_queue_wait_seconds", "engine_match_duration_seconds")
    )
    figures = (
        Figure("waiting for the engine's journal", sync_ms, "ms an order"),
        Figure("waiting for the engine's book", book_ms, "ms an order"),
    )
    if sync_ms + book_ms < OWN * stage_ms:
        return Cause(
            "network gateway-engine", Mechanism.NETWORK, f"of which the engine has {sync_ms + book_ms:.1f} ms", figures
        )
    if sync_ms > book_ms:
        return Cause("engine", Mechanism.COMMIT, f"{sync_ms:.1f} ms of it for the journal's sync", figures)
    return Cause("engine", Mechanism.RESPONSE, f"{book_ms:.1f} ms of it in the engine's queue and book", figures)


def of_publish(run: Run, configuration: Configuration, stage_ms: float, per_s: float) -> Cause:
    """Redis that does not answer or has too much to do, or the way to it."""
    commands = _rate(run, configuration, "redis_commands_processed_total")
    if commands is None:
        return Cause("redis", Mechanism.RESPONSE)
    figures = (Figure("commands that Redis carried out", commands, "commands/s"),)
    if commands < ANSWERING * per_s:
        return Cause("redis", Mechanism.RESPONSE, f"while Redis carried out {commands:.0f} commands/s", figures)
    busy = min(_rate(run, configuration, CPU, "redis") or 0.0, FULL)
    own_ms = 1e3 * busy / per_s / (1 - busy) if per_s else 0.0
    if own_ms >= OWN * stage_ms:
        return Cause("redis", Mechanism.RESPONSE, f"{own_ms:.1f} ms of it at the one thread of Redis", figures)
    return Cause(
        "network gateway-redis", Mechanism.NETWORK, f"while Redis carried out {commands:.0f} commands/s", figures
    )


CAUSES: Mapping[str, Callable[[Run, Configuration, float, float], Cause]] = {
    "engine": of_engine, "publish": of_publish,
}  # fmt: skip
"""Stage → who looks for its cause."""


def _mean_ms(run: Run, configuration: Configuration, histogram: str) -> float:
    took, times = (_rate(run, configuration, f"{histogram}_{part}") for part in ("sum", "count"))
    return 1e3 * took / times if took and times else 0.0


def _rate(run: Run, configuration: Configuration, metric: str, component: str | None = None) -> float | None:
    found = [
        values for window in configuration.windows if (values := counter(run, metric, window, component)) is not None
    ]
    return float(np.mean(np.concatenate(found))) if found else None
