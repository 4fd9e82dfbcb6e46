"""What the subscribers are told at start, from the environment, prefix SUBSCRIBERS_."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, HttpUrl, PositiveFloat
from pydantic_settings import BaseSettings, SettingsConfigDict


class SubscribersSettings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="SUBSCRIBERS_", frozen=True, extra="forbid")

    name: str = "subscribers"
    host: str = "127.0.0.1"
    port: int = Field(ge=1, le=65535)
    account: str = Field(default="123456789012", pattern=r"^\d{12}$")
    region: str = "us-east-1"
    credentials_file: Path = Field(description="JSON: access key → secret key; the first one is used")
    sns_url: HttpUrl
    topics: tuple[str, ...] = ("page", "ticket", "watchdog")
    queue: str = "alerts"
    functions_file: Path | None = Field(default=None, description="JSON list of functions beside the remediation")
    cluster_directory: Path | None = Field(default=None, description="of the cluster that remediations act on")
    log_directory: Path
    slack_url: HttpUrl | None = Field(default=None, description="an incoming webhook; none: the stand-in here")
    pagerduty_url: HttpUrl | None = Field(default=None, description="Events API v2; none: the stand-in here")
    routing_key: str = Field(default="0" * 32, min_length=32, max_length=32)
    remediation_timeout_s: PositiveFloat = 10.0
    time_scale: PositiveFloat = Field(default=1.0, description="Lambda's pauses between tries are divided by it")
