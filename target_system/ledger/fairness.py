"""How far the engine's sequence departs from the order in which the gateways received the commands.

Nobody promises that they agree: gateways gather commands for a moment, and each has a stream of its own. But who
trades wants to know how often somebody who came later went first, and by how much.
"""

from __future__ import annotations

from dataclasses import dataclass

import duckdb


@dataclass(frozen=True, slots=True)
class Fairness:
    """Overtaken is a command before which at least one was sequenced that a gateway received after it.

    Of those: how many places later they stand in the sequence than in the order of arrival, and by how much later than
    they the latest that went first had come.
    """

    commands: int
    overtaken: int
    overtaken_share: float
    places_p50: float
    places_p99: float
    places_max: int
    ahead_p50_ns: float
    ahead_p99_ns: float
    ahead_max_ns: int


def fairness(db: duckdb.DuckDBPyConnection) -> Fairness:
    """From `ledger_commands`; the gateways of one machine share its clock."""
    commands, overtaken, *figures = db.execute("""
        WITH placed AS (
            SELECT max(received_ns) OVER (ORDER BY sequence ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
                    - received_ns AS ahead_ns,
                row_number() OVER (ORDER BY sequence) - row_number() OVER (ORDER BY received_ns, sequence) AS places
            FROM ledger_commands
        )
        SELECT count(*), count(*) FILTER (ahead_ns > 0),
            coalesce(quantile_cont(places, 0.5) FILTER (ahead_ns > 0), 0),
            coalesce(quantile_cont(places, 0.99) FILTER (ahead_ns > 0), 0),
            coalesce(max(places) FILTER (ahead_ns > 0), 0),
            coalesce(quantile_cont(ahead_ns, 0.5) FILTER (ahead_ns > 0), 0),
            coalesce(quantile_cont(ahead_ns, 0.99) FILTER (ahead_ns > 0), 0),
            coalesce(max(ahead_ns) FILTER (ahead_ns > 0), 0)
        FROM placed
    """).fetchall()[0]
    return Fairness(commands, overtaken, overtaken / commands if commands else 0.0, *figures)
