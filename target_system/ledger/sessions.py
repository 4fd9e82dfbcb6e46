"""Cancel on disconnect: who asked for it keeps a lease in the ledger, and loses its orders when the lease runs out.

The lease stands in the ledger and not in a gateway, so any gateway may renew it and none that dies takes it along. Time
is Postgres's alone. The settler ends what ran out (`overdue`, a mass cancel under the session's own identity, `close`);
each step may be repeated, by whomever. While the ledger is away no lease can be renewed: one that ran out meanwhile is
over, which is the safe side.
"""

from __future__ import annotations

from target_system.ledger.connections import Connections
from target_system.ledger.queries import fetch

RENEW = """
    INSERT INTO sessions (account, lease_until) VALUES ($1, clock_timestamp() + make_interval(secs => $2))
    ON CONFLICT (account) DO UPDATE SET lease_until = excluded.lease_until
        WHERE sessions.lease_until > clock_timestamp()
    RETURNING number
"""


async def renew(ledger: Connections, account: int, lease_s: float, deadline_s: float) -> int | None:
    """The number of the account's session, begun now or before; None where one ran out and is being ended."""
    rows = await fetch(ledger, deadline_s, RENEW, account, lease_s)
    return rows[0][0] if rows else None


async def find(ledger: Connections, account: int, deadline_s: float) -> int | None:
    rows = await fetch(ledger, deadline_s, "SELECT number FROM sessions WHERE account = $1", account)
    return rows[0][0] if rows else None


async def overdue(ledger: Connections, deadline_s: float) -> list[tuple[int, int]]:
    """Account and number of each session whose lease ran out."""
    sql = "SELECT account, number FROM sessions WHERE lease_until <= clock_timestamp() ORDER BY lease_until LIMIT 100"
    return [(account, number) for account, number in await fetch(ledger, deadline_s, sql)]


async def close(ledger: Connections, account: int, number: int, deadline_s: float) -> None:
    """Only this session: the account may have begun another."""
    await fetch(ledger, deadline_s, "DELETE FROM sessions WHERE account = $1 AND number = $2", account, number)
