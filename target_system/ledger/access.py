"""Who is asking: from an API key to an account, by the hash that the ledger keeps."""

from __future__ import annotations

import hmac
import time
from collections.abc import Iterable
from dataclasses import dataclass

from target_system.ledger.connections import Connections
from target_system.ledger.queries import find_key, key_hash

TRUST_S = 60.0
DISTRUST_S = 1.0
REMEMBERED_MAX = 100_000


@dataclass(frozen=True, slots=True)
class Remembered:
    digest: bytes
    account: int | None
    is_operator: bool
    until: float


def key_in(headers: Iterable[tuple[bytes, bytes]]) -> bytes | None:
    for name, value in headers:
        if name == b"authorization":
            scheme, _, key = value.partition(b" ")
            return key if scheme.lower() == b"bearer" else None
        if name == b"x-api-key":
            return value
    return None


class Access:
    """Remembers keys for a minute (so a withdrawn key works no longer than that), unknown ones for a second."""

    def __init__(self, ledger: Connections, deadline_s: float) -> None:
        self._ledger, self._deadline_s = ledger, deadline_s
        self._remembered: dict[bytes, Remembered] = {}

    async def account_of(self, key: bytes | None) -> int | None:
        """The account that the key may trade for, None if there is none; an operator's key may trade for nobody.

        Raises LedgerAway where a new key cannot be looked up."""
        known = await self._known(key)
        return None if known is None or known.is_operator else known.account

    async def operator_of(self, key: bytes | None) -> int | None:
        """The account under which an operator's commands are journalled, None if the key is no operator's."""
        known = await self._known(key)
        return known.account if known is not None and known.is_operator else None

    async def _known(self, key: bytes | None) -> Remembered | None:
        if not key:
            return None
        digest = key_hash(key)
        known = self._remembered.get(digest)
        if known is None or known.until < time.monotonic():
            known = await self._look_up(digest)
        return known if hmac.compare_digest(known.digest, digest) else None

    async def _look_up(self, digest: bytes) -> Remembered:
        found = await find_key(self._ledger, digest, self._deadline_s)
        account, is_operator = (None, False) if found is None else found
        until = time.monotonic() + (DISTRUST_S if account is None else TRUST_S)
        if len(self._remembered) >= REMEMBERED_MAX:
            self._remembered.clear()
        remembered = self._remembered[digest] = Remembered(digest, account, is_operator, until)
        return remembered
