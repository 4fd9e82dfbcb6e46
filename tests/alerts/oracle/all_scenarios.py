"""Every recorded scenario against one front: how many agree, and in what the others differ."""

from __future__ import annotations

from typing import Any

from tests.alerts.oracle import (
    cloudwatch,
    sns_filters,
    sns_lambda,
    sns_publish,
    sns_queues,
    sns_subscriptions,
    sns_topics,
)
from tests.alerts.oracle.aws import Aws
from tests.alerts.oracle.replay import SCENARIOS, differences, recorded
from tests.alerts.stand import Stand

MODULES = (cloudwatch, sns_filters, sns_lambda, sns_publish, sns_queues, sns_subscriptions, sns_topics)


FILES = ("sns.json", "cloudwatch_alarms.json")


def judged(stand: Stand, part: str = "") -> dict[str, Any]:
    """`{"scenarios", "agree", "differences": [{"scenario", "said"}]}`, of those whose name holds the part."""
    aws = Aws(stand)
    everything = {name: answers for file in FILES for name, answers in recorded(file).items()}
    wanted = {name: answers for name, answers in everything.items() if part in name}
    differing = []
    for name, answers in wanted.items():
        try:
            said = differences(answers, SCENARIOS[name](aws, name)) if name in SCENARIOS else ["is not replayed"]
        except (AssertionError, KeyError, OSError) as error:
            said = [f"ended early: {error!r}"]
        if said:
            differing.append({"scenario": name, "said": said})
    return {"scenarios": len(wanted), "agree": len(wanted) - len(differing), "differences": differing}
