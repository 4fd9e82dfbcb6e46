"""What a fault does again and again, in a thread of its own, for as long as its block takes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

END_DEADLINE_S = 30.0


@contextmanager
def meanwhile(act: Callable[[threading.Event], None]) -> Iterator[None]:
    """`act` is called until the block ends; it waits on the event it is given, which is set then."""
    ended = threading.Event()

    def repeat() -> None:
        while not ended.is_set():
            act(ended)

    acting = threading.Thread(target=repeat)
    acting.start()
    try:
        yield
    finally:
        ended.set()
        acting.join(END_DEADLINE_S)
