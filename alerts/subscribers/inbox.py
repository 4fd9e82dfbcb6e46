"""What arrived at each channel, when, and in what order: the witness that a drill asks."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

RECEIPTS_MAX = 20_000


class Channel(StrEnum):
    HTTP = "http"
    SQS = "sqs"
    LAMBDA = "lambda"
    SLACK = "slack"
    PAGERDUTY = "pagerduty"


@dataclass(frozen=True, slots=True)
class Receipt:
    """`order` counts over all channels, `arrived_ns` is wall clock. `verified`: the signature, where there is one.

    `said`: a Lambda's error, or why a webhook was refused; None where all went well.
    """

    order: int
    arrived_ns: int
    channel: Channel
    topic: str
    message_id: str
    subject: str
    message: str
    verified: bool | None = None
    said: str | None = None


class Inbox:
    """The last receipts, oldest first."""

    def __init__(self, on_receipt: Callable[[Receipt], None], clock_ns: Callable[[], int] = time.time_ns) -> None:
        self._receipts: deque[Receipt] = deque(maxlen=RECEIPTS_MAX)
        self._on_receipt, self._clock_ns = on_receipt, clock_ns
        self._order = 0

    def put(self, channel: Channel, document: dict[str, Any], **more: Any) -> None:
        """`document`: SNS's own, or one with the same names."""
        self._order += 1
        receipt = Receipt(
            order=self._order,
            arrived_ns=self._clock_ns(),
            channel=channel,
            topic=str(document.get("TopicArn", "")).rpartition(":")[2],
            message_id=str(document.get("MessageId", "")),
            subject=str(document.get("Subject") or ""),
            message=str(document.get("Message", "")),
            **more,
        )
        self._receipts.append(receipt)
        self._on_receipt(receipt)

    def after(self, order: int) -> list[Receipt]:
        return [receipt for receipt in self._receipts if receipt.order > order]

    def __len__(self) -> int:
        return len(self._receipts)
