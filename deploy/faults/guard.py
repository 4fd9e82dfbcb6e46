"""A fault on a cluster that outlives whoever strikes it: a process of its own holds it, and reverts it.

    with guarded(cluster, fault):
        ...

The guard holds the fault for as long as the other end of its standard input is open. Ctrl-C does not reach it, and
even after kill -9 of the striker it reverts and heals. Run as `python -m deploy.faults.guard DIRECTORY FAULT`.
"""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.cluster import Cluster, ClusterError
from deploy.faults.catalogue import fault_from
from deploy.faults.fault import Fault, FaultError, inflicted
from deploy.local.launch import ROOT

APPLIED = "applied"
END_DEADLINE_S = 90.0


@contextmanager
def guarded(cluster: Cluster, fault: Fault) -> Iterator[None]:
    """Like `inflicted`, and reverted even where this process is killed. Raises FaultError."""
    command = [sys.executable, "-m", "deploy.faults.guard", str(cluster.directory), fault.model_dump_json()]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT,
        start_new_session=True,
    ) as guard:  # fmt: skip
        assert guard.stdin is not None
        assert guard.stdout is not None
        said = guard.stdout.readline().strip()
        if said != APPLIED:
            raise FaultError(said + guard.stdout.read())
        try:
            yield
        finally:
            guard.stdin.close()
            said = guard.stdout.read()
            code = guard.wait(END_DEADLINE_S)
    if code != 0:
        raise FaultError(said)


def hold(directory: Path, fault: Fault) -> None:
    cluster = Cluster.attach(directory)
    if cluster is None:
        raise ClusterError(f"no cluster is up in {directory}")
    with inflicted(cluster, fault):
        print(APPLIED, flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            sys.stdin.read()


def main(arguments: list[str]) -> int:
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that it unwinds, and reverts
    try:
        hold(Path(arguments[0]), fault_from(json.loads(arguments[1])))
    except (FaultError, ClusterError) as error:
        print(error, flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
