"""The SNS API by name: which function does what, and what is sent because of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from alerts.aws.errors import AwsError
from alerts.sns import publishing, subscriptions, topics
from alerts.sns.fanout import Fanout
from alerts.sns.model import Caller
from alerts.sns.publishing import Sequences
from alerts.sns.state import State

Action = Callable[[State, Caller, Mapping[str, Any]], dict[str, Any]]

QUIET: dict[str, Action] = {
    "CreateTopic": topics.create_topic,
    "DeleteTopic": topics.delete_topic,
    "ListTopics": topics.list_topics,
    "GetTopicAttributes": topics.get_topic_attributes,
    "SetTopicAttributes": topics.set_topic_attributes,
    "AddPermission": topics.add_permission,
    "RemovePermission": topics.remove_permission,
    "PutDataProtectionPolicy": topics.put_data_protection_policy,
    "GetDataProtectionPolicy": topics.get_data_protection_policy,
    "TagResource": topics.tag_resource,
    "UntagResource": topics.untag_resource,
    "ListTagsForResource": topics.list_tags_for_resource,
    "ConfirmSubscription": subscriptions.confirm_subscription,
    "ListSubscriptions": subscriptions.list_subscriptions,
    "ListSubscriptionsByTopic": subscriptions.list_subscriptions_by_topic,
    "GetSubscriptionAttributes": subscriptions.get_subscription_attributes,
    "SetSubscriptionAttributes": subscriptions.set_subscription_attributes,
}
"""Those that send nothing."""

UNSIGNED = frozenset({"ConfirmSubscription", "Unsubscribe"})
"""Those that a link in a message may ask for."""


class Sns:
    """All of it but the wire: an action's name and parameters in, its answer out."""

    def __init__(self, state: State, fanout: Fanout) -> None:
        self._state, self._fanout, self._sequences = state, fanout, Sequences()

    def do(self, operation: str, caller: Caller, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Raises AwsError."""
        if operation in QUIET:
            return QUIET[operation](self._state, caller, asked)
        if operation in ("Subscribe", "Unsubscribe"):
            act = subscriptions.subscribe if operation == "Subscribe" else subscriptions.unsubscribe
            answer, errands = act(self._state, caller, asked)
            self._fanout.run_errands(errands)
            return answer
        if operation in ("Publish", "PublishBatch"):
            act_out = publishing.publish if operation == "Publish" else publishing.publish_batch
            answer, messages = act_out(self._state, self._sequences, caller, asked)
            self._fanout.send(messages)
            return answer
        raise AwsError("InvalidAction", f"{operation} is not done here", 400)
