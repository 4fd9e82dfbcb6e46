"""All kinds of faults: read from documents, told apart by `kind`, and listed for people.

`python -m deploy.faults.catalogue > docs/reference/faults.md` writes the reference.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, TypeAdapter
from pydantic_core import PydanticUndefined

from deploy.faults.clock_skew import ClockSkew
from deploy.faults.cpu_hog import CpuHog
from deploy.faults.cpu_quota import CpuQuota
from deploy.faults.crash_loop import CrashLoop
from deploy.faults.disk_full import DiskFull
from deploy.faults.failing_rows import FailingRows
from deploy.faults.fault import Fault
from deploy.faults.fd_limit import FdLimit
from deploy.faults.freeze import Freeze
from deploy.faults.hot_row import HotRow
from deploy.faults.hung_function import HungFunction
from deploy.faults.idle_connections import IdleConnections
from deploy.faults.kill import Kill
from deploy.faults.lost_metric import LostMetric
from deploy.faults.network import Bandwidth, Latency, Reset, Timeout
from deploy.faults.redis_flush import RedisFlush
from deploy.faults.redis_memory import RedisMemory
from deploy.faults.skipped_trades import SkippedTrades
from deploy.faults.slow_history import SlowHistory
from deploy.faults.slow_sync import SlowSync
from deploy.faults.small_disk import SmallDisk
from deploy.faults.small_pool import SmallPool
from deploy.faults.stutter import Stutter
from deploy.faults.table_lock import TableLock
from deploy.faults.wrong_ledger import LostCommand, RepeatedTrade
from deploy.faults.wrong_redis import CrossedBook, WrongPosition

KINDS: tuple[type[Fault], ...] = (
    Kill, Freeze, Latency, Bandwidth, Timeout, Reset, SlowSync, DiskFull, CpuQuota, CpuHog, TableLock, IdleConnections,
    HotRow, FailingRows, RedisFlush, RedisMemory, FdLimit, Stutter, SmallDisk, SmallPool, CrashLoop, LostMetric,
    LostCommand, RepeatedTrade, WrongPosition, CrossedBook, SlowHistory, SkippedTrades, HungFunction, ClockSkew,
)  # fmt: skip

AnyFault = Annotated[
    Kill | Freeze | Latency | Bandwidth | Timeout | Reset | SlowSync | DiskFull | CpuQuota | CpuHog | TableLock
    | IdleConnections | HotRow | FailingRows | RedisFlush | RedisMemory | FdLimit | Stutter | SmallDisk | SmallPool
    | CrashLoop | LostMetric | LostCommand | RepeatedTrade | WrongPosition | CrossedBook | SlowHistory | SkippedTrades
    | HungFunction | ClockSkew,
    Field(discriminator="kind"),
]  # fmt: skip
"""For a field of another document, as a campaign's or a drill's."""

_ANY: TypeAdapter[Fault] = TypeAdapter(AnyFault)


def fault_from(document: Any) -> Fault:
    """`{"kind": "freeze", "part": "engine"}` as a Freeze. Raises pydantic's ValidationError with every problem."""
    return _ANY.validate_python(document)


def reference() -> str:
    """Markdown, a row for each kind."""
    lines = [
        "# Faults", "", "Generated: `python -m deploy.faults.catalogue > docs/reference/faults.md`.",
        "Written in a document as `{kind: freeze, part: engine}`; in Python as `Freeze(part=\"engine\")` with",
        "`deploy.faults.fault.inflicted`. Reverted however the block ends; afterwards every part is up and ready.", "",
        "| kind | does | parameters (default) |", "|---|---|---|",
    ]  # fmt: skip
    for kind in KINDS:
        name = kind.model_fields["kind"].default
        does = (kind.__doc__ or "").replace("\n", " ")
        lines.append(f"| `{name}` | {does} | {', '.join(_parameters(kind))} |")
    return "\n".join(lines) + "\n"


def _parameters(kind: type[Fault]) -> list[str]:
    return [
        f"`{name}`" + ("" if field.default is PydanticUndefined else f" ({field.default})")
        for name, field in kind.model_fields.items()
        if name != "kind"
    ]


if __name__ == "__main__":
    print(reference(), end="")
