"""`python -m target_system.gateway`: one process, one port. Settings come from the environment, prefix GATEWAY_.

On SIGTERM /readyz says 503. Orders are taken for a short while yet, in which the load balancer sees it and sends no
more; then the listener closes, the orders in flight are answered and the process ends, within its deadline.
"""

from __future__ import annotations

import math
import time
from types import FrameType

import uvicorn

from target_system.gateway.app import build
from target_system.gateway.service import Gateway
from target_system.settings import GatewaySettings, read_settings


class Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, gateway: Gateway) -> None:
        super().__init__(config)
        self._gateway = gateway
        self._leaves_at = math.inf

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self._gateway.work.is_stopping:
            super().handle_exit(sig, frame)
            return
        self._gateway.begin_stop()
        self._leaves_at = time.monotonic() + self._gateway.settings.drain_ms / 1000

    async def on_tick(self, counter: int) -> bool:
        if time.monotonic() >= self._leaves_at:
            self.should_exit = True
        return await super().on_tick(counter)


def main() -> None:
    settings = read_settings(GatewaySettings)
    gateway = Gateway(settings)
    config = uvicorn.Config(
        build(gateway), host=settings.host, port=settings.port, loop="uvloop", http="httptools", lifespan="on",
        access_log=False, log_level="warning", server_header=False, date_header=False, proxy_headers=False,
        timeout_keep_alive=75, timeout_graceful_shutdown=settings.stop_deadline_ms // 1000 or 1,
    )  # fmt: skip
    Server(config, gateway).run()


if __name__ == "__main__":
    main()
