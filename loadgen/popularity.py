"""How much more often one symbol is traded than the next: Zipf's law, as listed in the topology."""

from __future__ import annotations


def weights(symbols: int) -> tuple[float, ...]:
    return tuple(1 / (rank + 1) for rank in range(symbols))
