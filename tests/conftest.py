"""The servers that tests share: started once, each test with a ledger and a Redis that are empty."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.servers import Postgres, Redis, postgres_server, redis_server

# An example may take long on a busy machine, and what fails for one must fail for all.
settings.register_profile("lab", deadline=None, derandomize=True)
settings.load_profile("lab")


@pytest.fixture(scope="session", autouse=True)
def _hear_ctrl_c() -> None:
    """A shell that starts the tests in the background has them ignore it, and what they start as well."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    with postgres_server() as server:
        yield server


@pytest.fixture
def ledger_dsn(postgres: Postgres) -> str:
    return postgres.new_ledger()


@pytest.fixture(scope="session")
def shared_redis() -> Iterator[Redis]:
    with redis_server() as server:
        yield server


@pytest.fixture
def redis_url(shared_redis: Redis) -> str:
    with shared_redis.client() as client:
        client.flushall()
    return shared_redis.url
