"""How far the sequence departs from the order of arrival is counted as one would by hand."""

from __future__ import annotations

import duckdb

from target_system.ledger.fairness import Fairness, fairness


def of(*received_ns: int) -> Fairness:
    """Commands in the order of their sequence numbers, by when a gateway received each."""
    with duckdb.connect() as db:
        db.execute("CREATE TABLE ledger_commands (sequence BIGINT, received_ns BIGINT)")
        for sequence, received in enumerate(received_ns, start=1):
            db.execute("INSERT INTO ledger_commands VALUES (?, ?)", [sequence, received])
        return fairness(db)


def test_who_came_first_and_went_first_was_not_overtaken() -> None:
    assert of(10, 20, 20, 30) == Fairness(4, 0, 0.0, 0, 0, 0, 0, 0, 0)
    assert of() == Fairness(0, 0, 0.0, 0, 0, 0, 0, 0, 0)


def test_who_was_overtaken_lost_places_to_those_that_came_later() -> None:
    found = of(30, 40, 10, 50)
    assert (found.overtaken, found.overtaken_share) == (1, 0.25)
    assert (found.places_max, found.ahead_max_ns) == (2, 30)
