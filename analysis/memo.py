"""Remembers what was computed of a run: many analyses ask for the same rates, and reading them is the slow part."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar
from weakref import WeakKeyDictionary

from loadgen.record import Run

P = ParamSpec("P")
T = TypeVar("T")


def remembered(compute: Callable[Concatenate[Run, P], T]) -> Callable[Concatenate[Run, P], T]:
    """For pure functions of a run and of things with a `name` (windows, configurations) or plain values.

    What is remembered is handed out again and must not be changed; it is forgotten with the run.
    """
    known: WeakKeyDictionary[Run, dict[Any, T]] = WeakKeyDictionary()

    @wraps(compute)
    def recall(run: Run, /, *args: P.args, **kwargs: P.kwargs) -> T:
        mine = known.setdefault(run, {})
        named = (*args, *sorted(kwargs.items()))
        key = tuple(getattr(each, "name", each) for each in named)
        if key not in mine:
            mine[key] = compute(run, *args, **kwargs)
        return mine[key]

    return recall
