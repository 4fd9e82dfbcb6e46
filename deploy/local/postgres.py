"""The ledger's servers: a fresh data directory, roles, a migrated template, and an empty ledger from it in no time."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import Iterable, Sequence
from typing import LiteralString

import psycopg
from psycopg import sql

from deploy.local.launch import give_to_unprivileged, launch
from deploy.local.site import ADMIN, EXPORTER, LEDGER, LEDGER_TEMPLATE, OWNER, POSTGRES_PROGRAMS, Site

STEP_DEADLINE_S = 60.0
CONNECT_DEADLINE_S = 5
FIRST_SHARD = 1  # keeps the API keys and the history
HBA = """\
# TYPE  DATABASE  USER  ADDRESS       METHOD
host    all       all   127.0.0.1/32  scram-sha-256
"""


class LedgerError(Exception):
    """A ledger could not be prepared; the text says which step and what it printed."""


async def make_data_directory(site: Site, shard: int) -> None:
    """initdb, as a user without privileges where this process is root; its password is generated."""
    data = site.layout.data / f"ledger-{shard}"
    data.mkdir(mode=0o700)
    give_to_unprivileged(data)
    command = [str(POSTGRES_PROGRAMS / "initdb"), "-D", str(data), "-U", ADMIN, "--auth=scram-sha-256"]
    command += [f"--pwfile={site.secrets.admin_password_file}", "--locale=C", "--encoding=UTF8"]
    command += ["--no-sync", "--no-instructions"]
    await step(f"initdb of shard {shard}", command, unprivileged=True)
    (data / "pg_hba.conf").write_text(HBA)


async def prepare(site: Site, shards: Sequence[int]) -> None:
    """Roles and a migrated template on each of these new servers, and once the API keys, which live on the first."""
    await asyncio.gather(*(_make_roles(site, shard) for shard in shards))
    templates = [site.secrets.dsn(site.ports[f"ledger-{shard}"], OWNER, LEDGER_TEMPLATE) for shard in shards]
    migrations = [step("migration", [sys.executable, "-m", "target_system.ledger.migrate", *templates])]
    if FIRST_SHARD in shards:
        history = [sys.executable, "-m", "target_system.history.migrate", templates[shards.index(FIRST_SHARD)]]
        migrations.append(step("migration of the history", history))
    await asyncio.gather(*migrations)
    if not site.secrets.api_keys.exists():
        keys = [sys.executable, "-m", "target_system.ledger.keys", "--dsn", templates[0]]
        keys += ["--count", str(site.topology.accounts), "--out", str(site.secrets.api_keys)]
        await step("API keys", keys)


async def drop_ledgers(site: Site) -> None:
    """Throw every ledger away, whoever is connected to it."""
    await asyncio.gather(
        *(_execute(site, shard, f"DROP DATABASE IF EXISTS {LEDGER} WITH (FORCE)") for shard in site.shards)
    )


async def make_ledgers(site: Site) -> None:
    """Every ledger as the template has it: no orders, no remembered statements, nothing left to write back."""
    create = f"CREATE DATABASE {LEDGER} TEMPLATE {LEDGER_TEMPLATE} OWNER {OWNER}"
    forget = "SELECT pg_stat_statements_reset()"
    await asyncio.gather(*(_execute(site, shard, create, "CHECKPOINT", forget) for shard in site.shards))


async def _execute(site: Site, shard: int, *statements: LiteralString) -> None:
    await asyncio.to_thread(_run, site, shard, [sql.SQL(statement) for statement in statements])


async def _make_roles(site: Site, shard: int) -> None:
    rights = ((OWNER, "LOGIN"), (EXPORTER, "LOGIN IN ROLE pg_monitor"))
    roles = [
        sql.SQL("CREATE ROLE {} {} PASSWORD {}").format(
            sql.Identifier(role), sql.SQL(right), sql.Literal(site.secrets.password(role))
        )
        for role, right in rights
    ]
    others = ("CREATE EXTENSION pg_stat_statements", f"CREATE DATABASE {LEDGER_TEMPLATE} OWNER {OWNER}")
    await asyncio.to_thread(_run, site, shard, [*roles, *(sql.SQL(other) for other in others)])


def _run(site: Site, shard: int, statements: Iterable[sql.SQL | sql.Composed]) -> None:
    """In a thread of its own: on the supervisor's loop a connection now and then never heard Postgres' answer, and its
    deadline did not end that (the suspicion: what closes a socket takes away the watcher of a new one's number).
    """
    dsn = site.secrets.dsn(site.ports[f"ledger-{shard}"], ADMIN, "postgres")
    try:
        with psycopg.connect(dsn, autocommit=True, connect_timeout=CONNECT_DEADLINE_S) as admin:
            for statement in statements:
                admin.execute(statement)
    except psycopg.Error as error:
        raise LedgerError(f"ledger-{shard} could not be prepared: {error}") from error


async def step(title: str, command: list[str], unprivileged: bool = False) -> None:
    """Run one program to its end; what it printed is part of the error."""
    with tempfile.TemporaryFile() as out:
        process = await launch(command, out, unprivileged=unprivileged)
        try:
            async with asyncio.timeout(STEP_DEADLINE_S):
                code = await process.wait()
        except TimeoutError as error:
            raise LedgerError(f"{title} did not end within {STEP_DEADLINE_S:g} s: {' '.join(command)}") from error
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if code != 0:
            out.seek(0)
            printed = out.read().decode(errors="replace").strip()
            raise LedgerError(f"{title} failed (exit {code}): {' '.join(command)}\n{printed}")
