"""What a drill's timeline says, and how what was told is judged by it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import pytest

from alerts.drill import Drill, Outcome, Timeline, Told, detection_p95_s, judge
from alerts.drilling import Stage, predicted_s
from alerts.slo import BURNS
from deploy.cluster import Cluster
from tests.servers import free_port

TIMELINE = """
    at 1 s: expect page GatewayHung severity=page via sns within 5 s
    at 10 s: revert
    by 40 s: resolved
    nothing else but AckLatencyBurn, OrderErrorBurn
"""
DRILL = Drill.model_validate({"fault": {"kind": "freeze", "part": "gateway-1"}, "timeline": TIMELINE})
CHANNELS = ("http", "sqs", "lambda")


def everywhere(
    at_s: float, is_firing: bool, alert: str = "GatewayHung", severity: str = "page", topic: str = "page"
) -> list[Told]:
    return [Told(at_s, channel, topic, alert, severity, is_firing) for channel in CHANNELS]


WELL = [*everywhere(4.0, True), *everywhere(12.0, False)]


def judged(told: list[Told], drill: Drill = DRILL) -> Outcome:
    return judge("GatewayHung", drill, told, 5.0, [])


def test_a_timeline_reads_as_it_is_written() -> None:
    assert Timeline.parse(TIMELINE) == Timeline(
        "GatewayHung", "page", CHANNELS, 6.0, 10.0, 40.0, frozenset(("AckLatencyBurn", "OrderErrorBurn"))
    )


def test_a_timeline_with_faults_says_all_of_them() -> None:
    with pytest.raises(ValueError, match=r"does not understand 'at once: revert'.*no line for revert.*no line for res"):
        Timeline.parse("at 0 s: expect page X severity=page via sns within 3 s\nat once: revert\nnothing else")


def test_an_alert_and_its_end_at_every_channel_prove_a_rule() -> None:
    outcome = judged(WELL)
    assert (outcome.problems, outcome.detection_s) == ((), 4.0)


@pytest.mark.parametrize(
    ("told", "said"),
    [
        (everywhere(12.0, False), "http was told nothing"),
        (WELL[1:], "http was told nothing"),
        (WELL[:-1], "lambda never heard the end"),
        ([*WELL, *everywhere(14.0, True)], "sqs never heard the end"),
        ([*everywhere(6.5, True), *WELL[3:]], "http was told after 6.5 s, not by 6 s"),
        ([*WELL[:3], *everywhere(41.0, False)], "http heard the end after 41.0 s, not by 40 s"),
        ([*WELL, *everywhere(5.0, True, "PgLockWait", "ticket")], "PgLockWait was told as well"),
        ([*everywhere(4.0, True, severity="ticket"), *WELL[3:]], "has severity ticket, not page"),
        ([*everywhere(4.0, True, topic="ticket"), *WELL[3:]], "came by the topic ticket, not page"),
    ],
)
def test_what_is_amiss_fails_the_drill(told: list[Told], said: str) -> None:
    assert said in judged(told).problems


def test_a_consequence_that_the_drill_names_is_no_collateral() -> None:
    assert judged([*WELL, *everywhere(6.0, True, "AckLatencyBurn")]).problems == ()


def test_a_burn_rate_alert_is_judged_by_when_it_fired_and_by_how_long_it_took_to_be_told() -> None:
    burning = DRILL.model_copy(update={"bad_share": 0.05})

    def problems(fired_s: float, told_s: float, predicted_s: float) -> tuple[str, ...]:
        told = [Told(told_s, channel, "page", "GatewayHung", "page", True, fired_s) for channel in CHANNELS]
        return judge("X", burning, [*told, *WELL[3:]], predicted_s, []).problems

    assert problems(4.0, 4.5, 4.9) == ()
    assert problems(4.0, 4.5, 6.0) == ("fired after 4.0 s, theory says 6.0 s",)
    assert problems(4.0, 4.5, 1.7) == ("fired after 4.0 s, theory says 1.7 s",)
    assert problems(-2.0, 5.5, -2.0) == ("was told 7.5 s after it fired",)


def test_a_slower_burn_follows_from_a_faster_one_and_is_no_collateral() -> None:
    told = [*WELL, *everywhere(6.0, True, "OrderErrorTicketSlow", "ticket")]
    assert judged(told).problems == ()
    alone = DRILL.model_copy(
        update={"timeline": Timeline.parse(TIMELINE.replace(" but AckLatencyBurn, OrderErrorBurn", ""))}
    )
    assert judged(told, alone).problems == ("OrderErrorTicketSlow was told as well",)


def test_theory_says_17_s_for_five_per_cent_errors_at_14_times_the_budget_scaled_by_60() -> None:
    burning = next(each for each in BURNS if each.name == "OrderErrorBurn")
    assert burning.lasts_s(60.0, 0.05) == pytest.approx(17.28)
    drill = DRILL.model_copy(update={"bad_share": 0.05})
    assert predicted_s("OrderErrorBurn", drill) == pytest.approx(17.28)


def test_the_p95_of_detection_leaves_out_what_the_rule_itself_waits() -> None:
    assert detection_p95_s([judged(WELL)]) == 2.0


def test_a_server_that_does_not_answer_fails_its_drill_and_ends_no_other() -> None:
    port, said = free_port(), []
    cluster = cast("Cluster", SimpleNamespace(address=lambda _: f"127.0.0.1:{port}"))
    outcome = Stage(cluster, 0.0, said.append).hold("GatewayDown")
    assert f"http://127.0.0.1:{port}/api/v2/alerts does not answer" in outcome.problems[0]
    assert len(said) == 1
