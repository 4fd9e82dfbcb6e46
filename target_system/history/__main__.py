"""`python -m target_system.history`: writes trades and candles, beside the order path. Settings: HISTORY_..."""

from __future__ import annotations

import asyncio

from target_system.history.recorder import Recorder
from target_system.settings import HistorySettings, read_settings
from target_system.side_process import serve
from target_system.telemetry import Telemetry


async def run(settings: HistorySettings) -> None:
    telemetry = Telemetry("history", settings.name)
    await serve(telemetry, settings.host, settings.port, Recorder(settings, telemetry).run())


def main() -> None:
    asyncio.run(run(read_settings(HistorySettings)))


if __name__ == "__main__":
    main()
