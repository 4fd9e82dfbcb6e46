"""When a part that died is started again, and when that is given up. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from deploy.topology import Restarts

S = 1_000_000_000


def pause_before_restart_s(policy: Restarts, deaths_ns: Sequence[int]) -> float | None:
    """Seconds to wait after the last of these deaths (monotonic, ascending), or None: a crash loop, given up.

    The pause doubles with each death inside the policy's window, from its first to its longest.
    """
    recent = sum(1 for death in deaths_ns if deaths_ns[-1] - death <= policy.within_s * S)
    if recent > policy.restarts_max:
        return None
    return min(policy.backoff_first_s * 2.0 ** (recent - 1), policy.backoff_max_s)
