"""Every accepted message to every subscriber, apart from the publisher and apart from one another.

Each subscription has a queue of its own. A standard one delivers several at once and sets a failed delivery aside until
its retry is due; a FIFO one delivers one after the other. What cannot be delivered goes to the dead-letter queue, or is
counted as lost. Deliveries are kept in the store from before Publish answers until they are done.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Self

from alerts.aws.errors import AwsError
from alerts.sns import delivery_policy
from alerts.sns.delivery_policy import OF_MANAGED_ENDPOINTS, RetryPolicy
from alerts.sns.filter_match import passes
from alerts.sns.model import Message, Protocol, Subscription
from alerts.sns.state import State
from alerts.sns.subscriptions import Errand
from alerts.sns.targets import Outcome, Targets
from target_system.telemetry import Telemetry

LANES = 8
DELIVERIES_MAX = 10_000
BURY_TRIES = 30
BURY_PAUSE_S = 1.0


@dataclass(slots=True)
class Delivery:
    """One message on its way to one subscription, with the pauses that its retries still have."""

    id: str
    message: Message
    subscription: Subscription
    delays_s: Iterator[float]
    tries: int = 0


@dataclass(slots=True)
class Lanes:
    queue: asyncio.Queue[Delivery] = field(default_factory=asyncio.Queue)
    workers: list[asyncio.Task[None]] = field(default_factory=list)


class Fanout:
    """`time_scale` divides every pause, so that a policy of minutes can be seen in seconds."""

    def __init__(self, state: State, targets: Targets, telemetry: Telemetry, time_scale: float = 1.0) -> None:
        self._state, self._targets, self._telemetry, self._time_scale = state, targets, telemetry, time_scale
        self._lanes: dict[str, Lanes] = {}
        self._set_aside: set[asyncio.TimerHandle] = set()
        self.under_way = 0

    async def __aenter__(self) -> Self:
        """Go on with what a former process accepted."""
        for key, kept in self._state.store.all("delivery"):
            subscription = self._state.subscriptions.get(kept["subscription"])
            if subscription is None:
                self._state.store.drop("delivery", key)
            else:
                self._enqueue(self._delivery(key, Message.of(kept["message"]), subscription))
        return self

    async def __aexit__(self, *_: object) -> None:
        for timer in self._set_aside:
            timer.cancel()
        workers = [worker for lanes in self._lanes.values() for worker in lanes.workers]
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)

    def send(self, messages: Iterable[Message]) -> None:
        """To all confirmed subscribers whose filter lets it pass. Raises AwsError where too many are under way."""
        deliveries = [
            self._delivery(str(uuid.uuid4()), message, subscription)
            for message in messages
            for subscription in self._state.subscribers(message.topic_arn)
            if subscription.confirmed and self._passes(subscription, message)
        ]
        if self.under_way + len(deliveries) > DELIVERIES_MAX:
            raise AwsError("Throttled", "Rate exceeded", 429)
        kept = {
            each.id: {"message": each.message.document(), "subscription": each.subscription.arn} for each in deliveries
        }
        if kept:
            self._state.store.put_all("delivery", kept)
        for delivery in deliveries:
            self._enqueue(delivery)

    def run_errands(self, errands: Iterable[Errand]) -> None:
        """What goes to one endpoint alone, and needs no confirmation."""
        for errand in errands:
            self._enqueue(self._delivery(str(uuid.uuid4()), errand.message, errand.subscription))

    def _passes(self, subscription: Subscription, message: Message) -> bool:
        passing = passes(subscription, message)
        if not passing:
            self._count("filtered", subscription.protocol)
        return passing

    def _delivery(self, key: str, message: Message, subscription: Subscription) -> Delivery:
        return Delivery(key, message, subscription, self._policy(subscription).delays_s())

    def _policy(self, subscription: Subscription) -> RetryPolicy:
        if not subscription.protocol.is_http:
            return OF_MANAGED_ENDPOINTS
        topic = self._state.topics[subscription.topic_arn]
        effective = delivery_policy.effective_of_subscription(subscription.delivery_policy, topic.delivery_policy)
        return RetryPolicy.of({**delivery_policy.DEFAULT_RETRIES, **effective["healthyRetryPolicy"]})

    def _enqueue(self, delivery: Delivery) -> None:
        self.under_way += 1
        self._gauge()
        arn = delivery.subscription.arn
        if arn not in self._lanes:
            lanes = self._lanes[arn] = Lanes()
            count = 1 if delivery.message.sequence_number else LANES
            lanes.workers = [asyncio.create_task(self._work(lanes.queue)) for _ in range(count)]
        self._lanes[arn].queue.put_nowait(delivery)

    async def _work(self, queue: asyncio.Queue[Delivery]) -> None:
        while True:
            delivery = await queue.get()
            pause_s = await self._attempt(delivery)
            while pause_s is not None and delivery.message.sequence_number:  # the next may not overtake it
                await asyncio.sleep(pause_s)
                pause_s = await self._attempt(delivery)
            if pause_s is not None:
                self._later(pause_s, partial(queue.put_nowait, delivery))
            else:
                self._end(delivery)

    async def _attempt(self, delivery: Delivery) -> float | None:
        """Deliver once. The pause before the next try; None where there is none."""
        topic = self._state.topics.get(delivery.subscription.topic_arn)
        if topic is None:
            return None
        delivery.tries += 1
        outcome = await self._targets.deliver(delivery.message, delivery.subscription, topic)
        self._count(outcome, delivery.subscription.protocol)
        if outcome is Outcome.DELIVERED:
            return None
        pause_s = next(delivery.delays_s, None) if outcome is Outcome.FAILED else None
        if pause_s is None:
            await self._give_up(delivery)
            return None
        return pause_s / self._time_scale

    async def _give_up(self, delivery: Delivery) -> None:
        present = self._state.subscriptions.get(delivery.subscription.arn, delivery.subscription)
        if present.dead_letter_arn:
            for _ in range(BURY_TRIES):
                if await self._targets.bury(delivery.message, present) is Outcome.DELIVERED:
                    self._count("buried", present.protocol)
                    return
                await asyncio.sleep(BURY_PAUSE_S / self._time_scale)
        self._count("lost", present.protocol)
        self._telemetry.log.error(
            "delivery_lost", subscription=present.arn, message_id=delivery.message.id, tries=delivery.tries
        )

    def _end(self, delivery: Delivery) -> None:
        self._state.store.drop("delivery", delivery.id)
        self.under_way -= 1
        self._gauge()

    def _later(self, pause_s: float, do: Callable[[], Any]) -> None:
        def run() -> None:
            self._set_aside.discard(timer)
            do()

        timer = asyncio.get_running_loop().call_later(pause_s, run)
        self._set_aside.add(timer)

    def _count(self, outcome: str, protocol: Protocol) -> None:
        self._telemetry.metrics.get("sns_deliveries_total", protocol.value, str(outcome)).inc()

    def _gauge(self) -> None:
        self._telemetry.metrics.get("sns_deliveries_under_way").set(self.under_way)
