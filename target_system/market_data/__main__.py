"""`python -m target_system.market_data`: one process, one port. Settings from the environment, prefix MARKET_DATA_.

On SIGTERM /readyz says 503 at once, so that new clients go elsewhere; after a short while the clients that are left get
close code 1012 and connect again.
"""

from __future__ import annotations

import uvicorn

from target_system.draining import DrainingServer
from target_system.market_data.app import Protocol, build
from target_system.market_data.service import MarketData
from target_system.settings import MarketDataSettings, read_settings

MESSAGE_BYTES_MAX = 4_096  # from a client, which has nothing to say
PING_S = 5.0
PONG_DEADLINE_S = 10.0


def main() -> None:
    settings = read_settings(MarketDataSettings)
    service = MarketData(settings)
    config = uvicorn.Config(
        build(service), host=settings.host, port=settings.port, loop="uvloop", http="httptools", ws=Protocol,
        ws_max_size=MESSAGE_BYTES_MAX, ws_ping_interval=PING_S, ws_ping_timeout=PONG_DEADLINE_S,
        ws_per_message_deflate=False, lifespan="on", access_log=False, log_level="warning", server_header=False,
        date_header=False, proxy_headers=False, timeout_graceful_shutdown=2,
    )  # fmt: skip
    DrainingServer(config, service.begin_stop, settings.drain_ms).run()


if __name__ == "__main__":
    main()
