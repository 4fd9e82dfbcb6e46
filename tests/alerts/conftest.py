"""One front with SQS and subscribers for all tests that do not break it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.alerts.oracle.aws import Aws
from tests.alerts.oracle.sns_lambda import functions
from tests.alerts.stand import Stand, a_stand


@pytest.fixture(scope="session")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    with a_stand(tmp_path_factory.mktemp("stand")) as stand:
        stand.functions = functions(stand.folder)
        stand.start_subscribers()
        yield stand


@pytest.fixture(scope="session")
def aws(stand: Stand) -> Aws:
    return Aws(stand)
