"""The words of trading that every part of the pipeline shares. Standard library only."""

from __future__ import annotations

import re
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


def kill_identity(name: str) -> str:
    """... of the operator's command on this account's kill switch; the operator gives it a name."""
    return f"~k{name}"


def disconnect_identity(session: int) -> str:
    """... of the mass cancel at the end of a session."""
    return f"~d{session}"


class Side(StrEnum):
    BUY = "buy"
    SELL = "sell"

    @property
    def opposite(self) -> Side:
        return Side.SELL if self is Side.BUY else Side.BUY


class OrderType(StrEnum):
    LIMIT = "limit"
    MARKET = "market"


class TimeInForce(StrEnum):
    GTC = "gtc"
    IOC = "ioc"
    FOK = "fok"


class PostOnly(StrEnum):
    """What becomes of an order that must not take, and would."""

    REJECT = "reject"
    SLIDE = "slide"


class SelfTradePrevention(StrEnum):
    OFF = "off"
    CANCEL_NEWEST = "cancel_newest"
    CANCEL_OLDEST = "cancel_oldest"
    CANCEL_BOTH = "cancel_both"
    DECREMENT = "decrement"
