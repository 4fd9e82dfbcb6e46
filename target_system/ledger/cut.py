"""Which shard keeps which symbol: the symbols in alphabetical order, cut into runs of equal length."""

from __future__ import annotations

from collections.abc import Sequence


def shards_of(names: Sequence[str], shards: int) -> dict[str, int]:
    """Symbol → its shard, from 0."""
    return {name: rank * shards // len(names) for rank, name in enumerate(sorted(names))}
