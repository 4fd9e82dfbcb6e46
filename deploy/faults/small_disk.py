"""A volume of the machine without free space."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Literal

from pydantic import Field

from deploy.cluster import Cluster
from deploy.faults.fault import Fault, FaultError

SIZE_MB = 8
MOUNT_DEADLINE_S = 10.0


class SmallDisk(Fault):
    """A volume of 8 MB, mounted beside the cluster's data and filled to `filled`; unmounted afterwards. Needs root."""

    kind: Literal["small_disk"] = "small_disk"
    filled: Annotated[float, Field(gt=0, lt=1)] = 0.97

    @contextmanager
    def applied(self, cluster: Cluster) -> Iterator[None]:
        place = cluster.directory / "data" / "small_disk"
        place.mkdir(exist_ok=True)
        _run("mount", "-t", "tmpfs", "-o", f"size={SIZE_MB}m", "small_disk", str(place))
        try:
            (place / "filler").write_bytes(b"\0" * round(SIZE_MB * 2**20 * self.filled))
            yield
        finally:
            _run("umount", str(place))
            place.rmdir()


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=MOUNT_DEADLINE_S, check=False)
    if done.returncode != 0:
        raise FaultError(f"{' '.join(command[:2])}: {done.stderr.strip()}; run it as root")
