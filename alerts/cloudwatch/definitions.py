"""Alarms defined in a file, as PutMetricAlarm takes them: the same for the front and for AWS."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

BILLING = Path(__file__).parent / "billing.yaml"
ACTIONS = ("AlarmActions", "OKActions", "InsufficientDataActions")


def read_alarms(file: Path, topics: Mapping[str, str]) -> list[dict[str, Any]]:
    """`topics`: name → ARN, for the actions. KeyError where a file names another topic."""
    alarms = yaml.safe_load(file.read_text())
    return [
        {key: [topics[name] for name in value] if key in ACTIONS else value for key, value in alarm.items()}
        for alarm in alarms
    ]
