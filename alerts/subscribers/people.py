"""From a message to people: Slack and PagerDuty get each notification that the HTTP subscriber took."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import httpx

from alerts.subscribers import pagerduty, slack
from alerts.subscribers.doubt import Doubt
from alerts.subscribers.notice import Alert, Status, alerts_of
from target_system.telemetry import Telemetry

WAITING_MAX = 1_000
TRIES, PAUSE_S = 3, 0.5


@dataclass(frozen=True, slots=True)
class Letter:
    url: str
    document: dict[str, Any]


class People:
    """A bounded queue and a worker: a slow webhook delays nobody's acknowledgement to SNS."""

    def __init__(
        self, http: httpx.AsyncClient, slack_url: str, pagerduty_url: str, routing_key: str, telemetry: Telemetry
    ) -> None:
        self._http, self._slack_url, self._pagerduty_url = http, slack_url, pagerduty_url
        self._routing_key, self._telemetry = routing_key, telemetry
        self._letters: asyncio.Queue[Letter] = asyncio.Queue(WAITING_MAX)
        self._doubt = Doubt()

    async def tell(self, document: dict[str, Any], is_dead: bool) -> None:
        """An SNS notification. While the dead-man is up (`is_dead`) no end is believed: it is kept."""
        alerts = alerts_of(document["Message"], document.get("Subject", ""))
        topic = document["TopicArn"].rpartition(":")[2]
        passed = self._doubt.sift(topic, alerts, is_dead)
        for alert in alerts:
            if alert not in passed:
                self._telemetry.log.warning("resolved_vetoed", alert=alert.name, fingerprint=alert.fingerprint)
        self._pass_on(topic, passed)

    def look(self, is_dead: bool) -> None:
        """Pass on the ends that can be believed by now."""
        for ended in self._doubt.settled(is_dead):
            self._pass_on(ended.topic, [ended.alert])

    @property
    def ends_kept(self) -> int:
        return len(self._doubt)

    def _pass_on(self, topic: str, alerts: list[Alert]) -> None:
        """Pages go to both, tickets to Slack alone."""
        if alerts:
            self._put(Letter(self._slack_url, slack.payload(alerts)))
        if topic == "page":
            self.page(alerts)

    def page(self, alerts: list[Alert]) -> None:
        for alert in alerts:
            self._put(Letter(self._pagerduty_url, pagerduty.event(alert, self._routing_key)))

    def page_failed_remediation(self, event_id: str, said: str) -> None:
        """The second channel, where Lambda itself could not say it: a timeout, a death, an event given up."""
        alert = Alert("RemediationFailed", Status.FIRING, "page", said, f"RemediationFailed/{event_id}")
        self.page([alert])

    def _put(self, letter: Letter) -> None:
        try:
            self._letters.put_nowait(letter)
        except asyncio.QueueFull:
            self._lose(letter, "too many wait")
        self._gauge()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            letter = await self._letters.get()
            self._gauge()
            said = await self._send(letter)
            if said is not None:
                self._lose(letter, said)

    async def _send(self, letter: Letter) -> str | None:
        """None: taken. A refusal is final, anything else is tried again."""
        said = ""
        for _ in range(TRIES):
            try:
                answer = await self._http.post(letter.url, json=letter.document)
            except httpx.HTTPError as error:
                said = repr(error)
            else:
                if answer.is_success:
                    return None
                said = f"{answer.status_code} {answer.text[:200]}"
                if answer.is_client_error and answer.status_code != 429:
                    return said
            await asyncio.sleep(PAUSE_S)
        return said

    def _lose(self, letter: Letter, said: str) -> None:
        self._telemetry.metrics.get("subscribers_letters_lost_total").inc()
        self._telemetry.log.error("letter_lost", url=letter.url, said=said)

    def _gauge(self) -> None:
        self._telemetry.metrics.get("subscribers_letters_waiting").set(self._letters.qsize())
