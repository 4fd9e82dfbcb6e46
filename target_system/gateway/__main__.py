"""`python -m target_system.gateway`: one process, one port. Settings come from the environment, prefix GATEWAY_.

On SIGTERM /readyz says 503. Orders are taken for a short while yet, in which the load balancer sees it and sends no
more; then the listener closes, the orders in flight are answered and the process ends, within its deadline.
"""

from __future__ import annotations

import gc

import uvicorn

from target_system.draining import DrainingServer
from target_system.gateway.app import build
from target_system.gateway.bounded_head import BoundedHead
from target_system.gateway.service import Gateway
from target_system.settings import GatewaySettings, read_settings

GARBAGE_MAX = 20_000
"""New objects before the collector looks for cycles; an order leaves hardly any."""


def main() -> None:
    settings = read_settings(GatewaySettings)
    gateway = Gateway(settings)
    config = uvicorn.Config(
        build(gateway), host=settings.host, port=settings.port, loop="uvloop", http=BoundedHead, lifespan="on",
        access_log=False, log_level="warning", server_header=False, date_header=False, proxy_headers=False,
        timeout_keep_alive=75, timeout_graceful_shutdown=settings.stop_deadline_ms // 1000 or 1,
    )  # fmt: skip
    # What is loaded now stays: without this the collector walks all of it, which stops orders for tens of milliseconds.
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE_MAX)
    DrainingServer(config, gateway.begin_stop, settings.drain_ms).run()


if __name__ == "__main__":
    main()
