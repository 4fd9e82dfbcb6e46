"""Amazon resource names: `arn:partition:service:region:account:resource`."""

from __future__ import annotations

from dataclasses import dataclass

from alerts.aws.errors import invalid_parameter


@dataclass(frozen=True, slots=True)
class Arn:
    partition: str
    service: str
    region: str
    account: str
    resource: str

    @classmethod
    def parse(cls, text: str, parameter: str) -> Arn:
        """Raises AwsError that names the parameter, with AWS's words."""
        parts = text.split(":", 5)
        if len(parts) < 6:
            raise invalid_parameter(f"{parameter} Reason: An ARN must have at least 6 elements, not {len(parts)}")
        return cls(*parts[1:])
