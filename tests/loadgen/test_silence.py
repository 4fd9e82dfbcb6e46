"""A target that carries out nothing ends the campaign with a sentence, instead of a run of zeros."""

from __future__ import annotations

import numpy as np

from loadgen.http_client import Failure
from loadgen.receipts import FAILURES, ROW
from loadgen.window import silence


def test_the_sentence_says_where_and_what_came_instead() -> None:
    receipts = np.zeros(3, ROW)
    receipts["outcome"] = [FAILURES[Failure.TIMEOUT], FAILURES[Failure.TIMEOUT], 503]
    assert silence("127.0.0.1:80", receipts) == (
        "127.0.0.1:80 carried out none of 3 requests (2 timeout, 1 http_503); look at `lab status` and at the logs in"
        " .lab/cluster/logs"
    )


def test_where_something_was_carried_out_there_is_nothing_to_say() -> None:
    assert silence("127.0.0.1:80", np.zeros(1, ROW)) is None
