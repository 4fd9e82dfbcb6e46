"""The words of trading that every part of the pipeline shares. Standard library only."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import NewType

Ticks = NewType("Ticks", int)
"""A price in the symbol's smallest step."""
Lots = NewType("Lots", int)
"""A quantity in the symbol's smallest step."""
Sequence = NewType("Sequence", int)
"""A command's place in the engine's journal: 1, 2, 3 ... without a gap."""
OrderId = NewType("OrderId", int)
"""The sequence number of the command that created the order."""

CLIENT_ORDER_ID = re.compile(r"[A-Za-z0-9._-]{1,36}")
"""What a client may call an order. Identities that begin with `~` are the gateway's own, see `cancel_identity`."""


def cancel_identity(order_id: int) -> str:
    """The client order id of the command that cancels this order, so that a cancel may be repeated too."""
    return f"~c{order_id}"


class Side(StrEnum):
    BUY = "buy"
    SELL = "sell"

    @property
    def opposite(self) -> Side:
        return Side.SELL if self is Side.BUY else Side.BUY


class OrderType(StrEnum):
    LIMIT = "limit"
    MARKET = "market"


class CommandKind(StrEnum):
    NEW = "new"
    CANCEL = "cancel"


class Outcome(StrEnum):
    """What became of a sequenced command."""

    RESTING = "resting"
    FILLED = "filled"
    CANCELLED = "cancelled"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Fill:
    """One trade, seen from the taker's result; the price is the maker's."""

    trade_id: int
    maker_order_id: OrderId
    maker_account: int
    price_ticks: Ticks
    quantity_lots: Lots
