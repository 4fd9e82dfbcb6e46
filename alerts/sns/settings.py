"""What the front is told at start, from the environment, prefix SNS_."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, HttpUrl, PositiveFloat
from pydantic_settings import BaseSettings, SettingsConfigDict


class SnsSettings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="SNS_", frozen=True, extra="forbid")

    name: str = "sns"
    host: str = "127.0.0.1"
    port: int = Field(ge=1, le=65535)
    account: str = Field(default="123456789012", pattern=r"^\d{12}$")
    region: str = Field(default="us-east-1", description="the one that is prepared for; all of them are answered")
    user: str = Field(default="lab", description="the name in the principal's ARN")
    credentials_file: Path = Field(description="JSON: access key → secret key; who may ask")
    state_file: Path | None = Field(default=None, description="what outlives the process; none: nothing does")
    sqs_url: HttpUrl = Field(description="where SQS answers")
    lambda_url: HttpUrl = Field(description="where Lambda answers")
    time_scale: PositiveFloat = Field(default=1.0, description="pauses between retries are divided by it")
    evaluation_s: PositiveFloat = Field(default=1.0, description="between two looks at the CloudWatch alarms")
    answer_deadline_s: PositiveFloat = Field(default=15.0, description="for one try to one endpoint")
