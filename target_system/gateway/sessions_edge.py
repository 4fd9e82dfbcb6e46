"""PUT and DELETE of /v1/session: keep the lease of cancel on disconnect, or end it and have the orders cancelled."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import orjson

from target_system.gateway import replies
from target_system.gateway.orders_edge import OrdersEdge, is_json
from target_system.gateway.replies import Header, Reply
from target_system.gateway.validation import Forms, Malformed
from target_system.ledger import sessions
from target_system.ledger.access import Access, key_in
from target_system.ledger.connections import Connections, LedgerAway

RENEW = "PUT /v1/session"


class SessionsEdge:
    def __init__(self, access: Access, orders: OrdersEdge, ledger: Connections, forms: Forms, deadline_s: float):
        self._access, self._orders, self._ledger = access, orders, ledger
        self._forms, self._deadline_s = forms, deadline_s

    async def renew(self, headers: list[Header], body: bytes) -> Reply:
        async def work(account: int) -> Reply:
            lease_ms = self._forms.lease_ms(body)
            if isinstance(lease_ms, list):
                return replies.invalid("invalid-session", "The request has faults", lease_ms)
            number = await sessions.renew(self._ledger, account, lease_ms / 1000, self._deadline_s)
            if number is None:
                return replies.problem(
                    409, "session-over", "The session is over", "its lease ran out and its orders are being cancelled; "
                    "begin another in a moment", told="conflict", headers=(replies.RETRY_SOON,),
                )  # fmt: skip
            return Reply(200, orjson.dumps({"account": account, "session": number, "lease_ms": lease_ms}), "ok")

        return await self._as_account(headers, work) if is_json(headers) else replies.unsupported_media_type()

    async def end(self, headers: list[Header], began: int) -> Reply:
        """The mass cancel has the session's identity, so it does not matter if the settler comes first."""

        async def work(account: int) -> Reply:
            number = await sessions.find(self._ledger, account, self._deadline_s)
            if number is None:
                return replies.not_found("this account has no session")
            reply = await self._orders.disconnect(headers, number, began)
            if reply.status == 200:
                await sessions.close(self._ledger, account, number, self._deadline_s)
            return reply

        return await self._as_account(headers, work)

    async def _as_account(self, headers: list[Header], work: Callable[[int], Awaitable[Reply]]) -> Reply:
        try:
            account = await self._access.account_of(key_in(headers))
            return replies.unauthenticated() if account is None else await work(account)
        except Malformed as error:
            return replies.malformed(str(error))
        except LedgerAway as error:
            return replies.unavailable("ledger-away", f"the session could not be kept: {error}")
