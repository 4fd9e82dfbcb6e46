"""How long a component takes to answer when it is asked directly, past the network's proxies.

What stops and goes, or is busy with something else, answers late and leaves every processor idle. What holds orders up
and answers at once is not the component but the way to it.
"""

from __future__ import annotations

from analysis.causes import answer_figure, answer_ms, is_silence
from analysis.finding import Bearing, Finding, Mechanism, in_words, percent
from analysis.measured import Configuration, configurations
from analysis.residence import residence_of
from analysis.saturation import ORDER_PATH
from loadgen.record import Run


def answers(run: Run) -> list[Finding]:
    """Components of the order path whose answer alone takes half as long as an order."""
    found = []
    for configuration in configurations(run):
        time = residence_of(run, configuration)
        if time is None:
            continue
        for component in ORDER_PATH:
            took_ms = answer_ms(run, configuration, component)
            if took_ms is not None:
                found.append(_finding(configuration, component, took_ms, time.whole_ms))
    return found


def _finding(configuration: Configuration, component: str, took_ms: float, whole_ms: float) -> Finding:
    share, is_slow = took_ms / whole_ms, is_silence(took_ms, whole_ms)
    name = in_words(component)
    return Finding(
        claim=f"{name[0].upper()}{name[1:]} answered after {took_ms:.1f} ms, {percent(share)} of an order's time",
        component=component,
        mechanism=Mechanism.RESPONSE,
        status=Bearing.SUSPECTED if is_slow else Bearing.CLEARED,
        configuration=configuration.name,
        evidence=(answer_figure(component, took_ms),),
        doubt="Asked twice a second: a window of some seconds holds few answers." if is_slow else "",
        next_step=f"See what {name} did while it did not answer: its log, its stack, whether it was stopped."
        if is_slow
        else "",
    )
