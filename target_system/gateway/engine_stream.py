"""One stream to the engine: commands that wait together go out in one message.

A message costs the two ends much the same however many commands it carries, so two messages keep a small distance:
after a pause a command leaves at once, under load it waits for its company.

Every command has a deadline. When the stream breaks, a new one is opened with back-off and what is still unanswered is
sent again: safe, because the engine knows a command by its account and client order id.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol

import grpc

from target_system.gateway.grpc_stream import GrpcStream, StreamEnded, open_stream
from target_system.proto import engine_pb2 as pb
from target_system.proto.engine_pb2_grpc import EngineStub

BACK_OFF_S = (0.02, 0.05, 0.1, 0.2, 0.5)
SWEEP_S = 0.02
STATUS_DEADLINE_S = 1.0
BATCH_MAX = 256
PATH = "/lab.engine.v1.Engine/Stream"
CHANNEL_OPTIONS = (
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.min_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 500),
    ("grpc.max_receive_message_length", -1),  # a mass cancel lists every order that it removed
    ("grpc.use_local_subchannel_pool", 1),
)


class NoResult(Enum):
    """Why a command has no result."""

    NEVER_SENT = "never sent"  # it did not happen
    NOT_ANSWERED = "not answered"  # it may have happened


@dataclass(slots=True)
class Pending:
    command: pb.Command
    answer: asyncio.Future[pb.Result | NoResult]
    deadline: float
    sent: int = 0
    """How often: more than once after a broken stream."""


class StreamWatcher(Protocol):
    def batch_sent(self, commands: int) -> None: ...
    def connected(self, resent: int) -> None: ...
    def lost(self, error: str, pending: int) -> None: ...
    def unlike(self, error: str) -> None: ...


class EngineStream:
    """`run` keeps the stream open until it is cancelled; `ask` may be called at any time."""

    def __init__(
        self, target: str, deadline_s: float, gather_s: float, check: Callable[[pb.StatusReply], str | None],
        watcher: StreamWatcher,
    ) -> None:  # fmt: skip
        """`gather_s`: least time between two messages. `check` says what is wrong with the engine's status, or None."""
        self._target, self._deadline_s, self._check, self._watcher = target, deadline_s, check, watcher
        self._gather_s = gather_s
        self._pending: dict[int, Pending] = {}
        self._outbox: list[Pending] = []
        self._requests = 0
        self._stream: GrpcStream | None = None
        self._sent_at = 0.0
        self._will_send = False
        self.stub: Any = None

    @property
    def is_connected(self) -> bool:
        return self._stream is not None

    async def ask(self, command: pb.Command) -> pb.Result | NoResult:
        """The command's result, or why there is none by the deadline. Sets `command.request`."""
        loop = asyncio.get_running_loop()
        self._requests += 1
        command.request = self._requests
        answer: asyncio.Future[pb.Result | NoResult] = loop.create_future()
        now = time.monotonic()
        pending = Pending(command, answer, now + self._deadline_s)
        self._pending[command.request] = pending
        self._outbox.append(pending)
        if self._stream is not None and not self._will_send:
            self._will_send = True
            loop.call_later(max(0.0, self._sent_at + self._gather_s - now), self._send)
        return await answer

    def _send(self) -> None:
        self._will_send = False
        self._sent_at = time.monotonic()
        while self._outbox and self._stream is not None:
            batch, self._outbox = self._outbox[:BATCH_MAX], self._outbox[BATCH_MAX:]
            for pending in batch:
                pending.sent += 1
            self._stream.send(pb.CommandBatch(commands=[pending.command for pending in batch]).SerializeToString())
            self._watcher.batch_sent(len(batch))

    def _deliver(self, message: bytes) -> None:
        for result in pb.ResultBatch.FromString(message).results:
            pending = self._pending.pop(result.request, None)
            if pending is None or pending.answer.done():
                continue
            # "It did not happen" is said of this sending; an earlier one, over a stream that broke, may have.
            in_doubt = result.outcome == pb.NOT_SEQUENCED and pending.sent > 1
            pending.answer.set_result(NoResult.NOT_ANSWERED if in_doubt else result)

    async def run(self) -> None:
        sweeper = asyncio.create_task(self._sweep())
        attempt = 0
        try:
            async with grpc.aio.insecure_channel(self._target, options=CHANNEL_OPTIONS) as channel:
                self.stub = EngineStub(channel)
                while True:
                    attempt = 0 if await self._open_once() else attempt + 1
                    await asyncio.sleep(BACK_OFF_S[min(attempt, len(BACK_OFF_S) - 1)])
        finally:
            sweeper.cancel()
            if self._stream is not None:
                self._stream.close()

    async def _open_once(self) -> bool:
        """Serve one stream until it breaks. False if it could not even be opened."""
        try:
            status = await self.stub.Status(pb.StatusRequest(), timeout=STATUS_DEADLINE_S)
            if (wrong := self._check(status)) is not None:
                self._watcher.unlike(wrong)
                return False
            self._stream = await open_stream(self._target, PATH, self._deliver, STATUS_DEADLINE_S)
        except grpc.aio.AioRpcError as error:
            self._watcher.lost(f"{error.code().name}: {error.details()}", len(self._pending))
            return False
        except StreamEnded as error:
            self._watcher.lost(str(error), len(self._pending))
            return False
        self._outbox = list(self._pending.values())
        self._watcher.connected(len(self._outbox))
        self._send()
        why = await self._stream.ended
        self._stream = None
        self._watcher.lost(why, len(self._pending))
        return True

    async def _sweep(self) -> None:
        """Give up what is past its deadline. The dictionary is in order of deadlines, so the rest need no look."""
        while True:
            await asyncio.sleep(SWEEP_S)
            now = time.monotonic()
            while self._pending:
                request, oldest = next(iter(self._pending.items()))
                if oldest.deadline > now:
                    break
                del self._pending[request]
                if not oldest.answer.done():
                    oldest.answer.set_result(NoResult.NOT_ANSWERED if oldest.sent else NoResult.NEVER_SENT)
            # In the same turn: what was given up unsent must not be sent any more.
            self._outbox = [pending for pending in self._outbox if not pending.answer.done()]
