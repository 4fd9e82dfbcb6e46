"""Carries out an alarm's actions: a message to a topic of the SNS beside it, an event to a function."""

from __future__ import annotations

import asyncio
import json

from alerts.aws.errors import AwsError
from alerts.cloudwatch import messages
from alerts.cloudwatch.alarm import Alarm
from alerts.sns.actions import Sns
from alerts.sns.app import Identity
from alerts.sns.targets import Outcome, Targets
from target_system.telemetry import Telemetry


class Posts:
    """Called with an action's ARN. What fails is logged, as AWS notes it in the alarm's history alone."""

    def __init__(self, sns: Sns, targets: Targets, identity: Identity, telemetry: Telemetry) -> None:
        self._sns, self._targets, self._identity, self._telemetry = sns, targets, identity, telemetry
        self._events: set[asyncio.Task[None]] = set()

    def __call__(self, arn: str, alarm: Alarm, before: Alarm) -> None:
        service, region = arn.split(":")[2:4]
        if service == "sns":
            self._publish(arn, region, alarm, before)
        elif service == "lambda":
            task = asyncio.create_task(self._invoke(arn, alarm, before))
            self._events.add(task)
            task.add_done_callback(self._events.discard)
        else:
            self._failed(arn, alarm, f"{service} is not acted on here")

    def _publish(self, arn: str, region: str, alarm: Alarm, before: Alarm) -> None:
        text = json.dumps(messages.document(alarm, before), separators=(",", ":"))
        asked = {"TopicArn": arn, "Subject": messages.subject(alarm), "Message": text}
        try:
            self._sns.do("Publish", self._identity.caller(region, signed=True), asked)
        except AwsError as error:
            self._failed(arn, alarm, error.message)

    async def _invoke(self, arn: str, alarm: Alarm, before: Alarm) -> None:
        outcome = await self._targets.invoke(arn, messages.lambda_event(alarm, before))
        if outcome is not Outcome.DELIVERED:
            self._failed(arn, alarm, outcome.value)

    def _failed(self, arn: str, alarm: Alarm, said: str) -> None:
        self._telemetry.log.error("alarm_action_failed", alarm=alarm.name, action=arn, said=said)
