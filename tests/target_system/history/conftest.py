from __future__ import annotations

from tests.target_system.engine.conftest import binaries, engine, start

__all__ = ["binaries", "engine", "start"]
