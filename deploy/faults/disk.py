"""What the faults of a part's disk share: the part must have been started so that they are possible."""

from __future__ import annotations

from deploy.faults.fault import Fault
from deploy.topology import Topology, without_number


class DiskFault(Fault):
    part: str
    """`ledger-2`; or `ledger`: all its shards."""

    def misfit(self, topology: Topology) -> str | None:
        component = without_number(self.part)
        possible = {"engine": topology.engine.disk_faults, "ledger": topology.ledger.disk_faults}
        if component not in possible:
            return f"{self.part} keeps nothing on disk that could fail here; use engine or ledger-N"
        if not possible[component]:
            return f"{self.part} runs without disk faults; set {component}.disk_faults: true in the topology"
        return None if self.part == "ledger" else super().misfit(topology)


def parts_of(topology: Topology, part: str) -> tuple[str, ...]:
    """The part itself, or every shard where all the ledger is meant."""
    return tuple(f"ledger-{n}" for n in range(1, topology.ledger.shards + 1)) if part == "ledger" else (part,)
