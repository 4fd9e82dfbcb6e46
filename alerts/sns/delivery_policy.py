"""When a delivery is tried again: AWS's delivery policies, checked, merged with their defaults, and as delays.

A failed delivery passes four phases: retries at once, retries at the least delay, retries with a growing delay, retries
at the greatest delay. AWS's own figures: https://docs.aws.amazon.com/sns/latest/dg/sns-message-delivery-retries.html
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self, get_args

from alerts.aws.errors import invalid_parameter

DEFAULT_CONTENT_TYPE = "text/plain; charset=UTF-8"
CONTENT_TYPES = frozenset(
    {"text/plain", "application/json", "text/csv", "text/html", "text/css", "text/xml", "application/xml",
     "application/atom+xml", "application/octet-stream", "application/x-www-form-urlencoded", "application/soap+xml"}
)  # fmt: skip
Backoff = Literal["linear", "arithmetic", "geometric", "exponential"]
RETRIES_MAX, DELAY_MAX_S = 100, 3_600


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """`retries` counts all four phases; the growing delays are what the other three leave."""

    retries: int = 3
    delay_min_s: float = 20.0
    delay_max_s: float = 20.0
    at_once: int = 0
    at_min: int = 0
    at_max: int = 0
    backoff: Backoff = "linear"

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Self:
        return cls(
            retries=given["numRetries"],
            delay_min_s=given["minDelayTarget"],
            delay_max_s=given["maxDelayTarget"],
            at_once=given["numNoDelayRetries"],
            at_min=given["numMinDelayRetries"],
            at_max=given["numMaxDelayRetries"],
            backoff=given["backoffFunction"],
        )

    def delays_s(self) -> Iterator[float]:
        """The pause before each retry."""
        growing = self.retries - self.at_once - self.at_min - self.at_max
        yield from (0.0 for _ in range(self.at_once))
        yield from (self.delay_min_s for _ in range(self.at_min))
        yield from (self._grown_s(step, growing) for step in range(growing))
        yield from (self.delay_max_s for _ in range(self.at_max))

    def _grown_s(self, step: int, steps: int) -> float:
        least, most = self.delay_min_s, self.delay_max_s
        share = step / (steps - 1) if steps > 1 else 0.0
        if self.backoff == "linear":
            return least + (most - least) * share
        if self.backoff == "arithmetic":
            return least + (most - least) * share * (step + 1) / steps
        if self.backoff == "geometric":
            return float(max(least, 0.001) * (most / max(least, 0.001)) ** share)
        return float(min(most, max(least, 0.001) * 2**step))


OF_MANAGED_ENDPOINTS = RetryPolicy(
    retries=100_015, delay_min_s=1, delay_max_s=20, at_once=3, at_min=2, at_max=100_000, backoff="exponential"
)
"""SQS and Lambda: 3 at once, 2 after a second, 10 from 1 to 20 s, 100,000 every 20 s."""

DEFAULT_RETRIES: dict[str, Any] = {
    "minDelayTarget": 20,
    "maxDelayTarget": 20,
    "numRetries": 3,
    "numMaxDelayRetries": 0,
    "numNoDelayRetries": 0,
    "numMinDelayRetries": 0,
    "backoffFunction": "linear",
}


def checked_of_topic(text: str) -> dict[str, Any]:
    """A topic's DeliveryPolicy as AWS keeps it. Raises AwsError."""
    given = _parsed(text).get("http")
    if not isinstance(given, dict):
        raise invalid_parameter("DeliveryPolicy: DeliveryPolicy: http must be set")
    kept = {**given, "disableSubscriptionOverrides": given.get("disableSubscriptionOverrides", False)}
    if "defaultHealthyRetryPolicy" in given:
        kept["defaultHealthyRetryPolicy"] = _checked_retries(given["defaultHealthyRetryPolicy"])
    _check_request_policy(given.get("defaultRequestPolicy"))
    return {"http": kept}


def effective_of_topic(kept: Mapping[str, Any]) -> dict[str, Any]:
    given = kept.get("http", {})
    effective = {
        "defaultHealthyRetryPolicy": given.get("defaultHealthyRetryPolicy", DEFAULT_RETRIES),
        "disableSubscriptionOverrides": given.get("disableSubscriptionOverrides", False),
        "defaultRequestPolicy": given.get("defaultRequestPolicy", {"headerContentType": DEFAULT_CONTENT_TYPE}),
    }
    if "defaultThrottlePolicy" in given:
        effective["defaultThrottlePolicy"] = given["defaultThrottlePolicy"]
    return {"http": effective}


def checked_of_subscription(text: str) -> dict[str, Any]:
    """A subscription's DeliveryPolicy as AWS keeps it: all parts named, null where not given. Raises AwsError."""
    given = _parsed(text)
    retries = given.get("healthyRetryPolicy")
    _check_request_policy(given.get("requestPolicy"))
    return {
        "healthyRetryPolicy": None if retries is None else _checked_retries(retries),
        "sicklyRetryPolicy": given.get("sicklyRetryPolicy"),
        "throttlePolicy": given.get("throttlePolicy"),
        "requestPolicy": given.get("requestPolicy"),
        "guaranteed": given.get("guaranteed", False),
    }


def effective_of_subscription(kept: Mapping[str, Any], of_topic: Mapping[str, Any]) -> dict[str, Any]:
    """What holds for an HTTP endpoint: its own policy, then the topic's, then the default."""
    default = effective_of_topic(of_topic)["http"]
    own = {} if default["disableSubscriptionOverrides"] else kept
    return {
        "healthyRetryPolicy": own.get("healthyRetryPolicy") or default["defaultHealthyRetryPolicy"],
        "sicklyRetryPolicy": own.get("sicklyRetryPolicy"),
        "throttlePolicy": own.get("throttlePolicy") or default.get("defaultThrottlePolicy"),
        "requestPolicy": own.get("requestPolicy") or default["defaultRequestPolicy"],
        "guaranteed": own.get("guaranteed", False),
    }


def _parsed(text: str) -> dict[str, Any]:
    try:
        given = json.loads(text)
    except ValueError:
        given = None
    if not isinstance(given, dict):
        raise invalid_parameter("DeliveryPolicy: failed to parse JSON.")
    return given


def _checked_retries(given: Mapping[str, Any]) -> dict[str, Any]:
    known = {name: given.get(name, default) for name, default in DEFAULT_RETRIES.items()}
    counts = [known[name] for name in known if name.startswith("num")]
    parts = known["numNoDelayRetries"] + known["numMinDelayRetries"] + known["numMaxDelayRetries"]
    said = None
    if known["backoffFunction"] not in get_args(Backoff):
        said = f"backoffFunction must be one of {', '.join(get_args(Backoff))}"
    elif any(count < 0 or count > RETRIES_MAX for count in counts):
        said = f"retries must be between 0 and {RETRIES_MAX}"
    elif parts > known["numRetries"]:
        said = "numRetries must be greater than or equal to the sum of the retries of its phases"
    elif not 0 <= known["minDelayTarget"] <= known["maxDelayTarget"] <= DELAY_MAX_S:
        said = "delays must be between 0 and 3600, the least not above the greatest"
    if said:
        raise invalid_parameter(f"DeliveryPolicy: {said}")
    return known


def _check_request_policy(given: Any) -> None:
    content_type = (given or {}).get("headerContentType", DEFAULT_CONTENT_TYPE)
    if content_type.split(";")[0].strip() not in CONTENT_TYPES:
        raise invalid_parameter("DeliveryPolicy: requestPolicy.headerContentType is not a valid content type")
