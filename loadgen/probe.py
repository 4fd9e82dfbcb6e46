"""A client that does what decision 1 asks of one: repeat an order under its client order id until it has an answer.

The time until then is the recovery. Afterwards it repeats what was acknowledged before, which must bring the same
answers: an order that exists twice would show here first.
"""

from __future__ import annotations

import http.client
import json
import time
from collections import deque
from typing import Any

import pyarrow as pa

from deploy.cluster import Cluster
from loadgen.layout import TABLES
from loadgen.order_flow import MIDDLE_TICKS

ANSWER_DEADLINE_S = 2.0
PAUSE_S = 0.02
PRICE_TICKS = MIDDLE_TICKS * 7 // 10
"""Nobody sells so low, so the order rests; and it is within the collar around the last trade."""
REFUSALS = (400, 401, 409, 413, 415, 422)
"""Answers that no repeat would change."""
REPEATED = 5
"""How many of the last acknowledged orders are asked for again."""


class NotAcknowledgedError(Exception):
    """Refused, or no answer by the deadline; the text says which order."""


class Probe:
    def __init__(self, cluster: Cluster, prefix: str) -> None:
        keys = json.loads(cluster.secrets.api_keys.read_text())
        self._account = max(int(account) for account in keys)
        self._headers = {"x-api-key": keys[str(self._account)], "content-type": "application/json"}
        self._cluster = cluster
        self._symbol = cluster.topology.symbols[0]
        self._prefix = prefix
        self._rows: list[dict[str, Any]] = []
        self._last: deque[tuple[str, int]] = deque(maxlen=REPEATED)

    def insist(self, deadline: float, way: str = "haproxy") -> int:
        """Sequence number of a new order that was sent this way until it was acknowledged.

        Raises NotAcknowledgedError at the deadline (monotonic seconds).
        """
        identity = f"{self._prefix}-probe-{len(self._rows)}"
        intended_ns = time.time_ns()
        sent_ns, answer = self._until_answered(identity, deadline, way)
        self._rows.append({
            "window": self._prefix, "account": self._account, "client_order_id": identity, "kind": "new",
            "order_id": answer["order_id"], "sequence": answer["sequence"], "outcome": "ok",
            "intended_ns": intended_ns, "sent_ns": sent_ns, "answered_ns": time.time_ns(),
        })  # fmt: skip
        self._last.append((identity, answer["sequence"]))
        return int(answer["sequence"])

    def repeat(self, deadline: float) -> list[str]:
        """The last orders again, under their ids: what came out otherwise than the first time."""
        found = []
        for identity, sequence in self._last:
            _, answer = self._until_answered(identity, deadline, "haproxy")
            if answer["sequence"] != sequence:
                found.append(f"{identity} was sequence {sequence}, and is {answer['sequence']} when repeated")
        return found

    def acks(self) -> pa.Table:
        return pa.Table.from_pylist(self._rows, schema=TABLES["acks"])

    def _until_answered(self, identity: str, deadline: float, way: str) -> tuple[int, dict[str, Any]]:
        """When the try that was answered began, wall clock, and the answer."""
        while True:
            sent_ns = time.time_ns()
            answer = self._ask(identity, self._cluster.address(way))
            if answer is not None:
                return sent_ns, answer
            if time.monotonic() > deadline:
                raise NotAcknowledgedError(f"order {identity} was not acknowledged by way of {way} in time")
            time.sleep(PAUSE_S)

    def _ask(self, identity: str, address: str) -> dict[str, Any] | None:
        order = {"client_order_id": identity, "symbol": self._symbol, "side": "buy", "type": "limit"}
        body = json.dumps(order | {"price_ticks": PRICE_TICKS, "quantity_lots": 1})
        connection = http.client.HTTPConnection(address, timeout=ANSWER_DEADLINE_S)
        try:
            connection.request("POST", "/v1/orders", body, self._headers)
            response = connection.getresponse()
            status, text = response.status, response.read()
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()
        if status in REFUSALS:
            raise NotAcknowledgedError(f"order {identity} was refused ({status}): {text.decode(errors='replace')}")
        return json.loads(text) if status == http.HTTPStatus.CREATED else None
