"""What AWS answers where it refuses: a code, a sentence, a status. Raised by the rules, written out by the wire."""

from __future__ import annotations


class AwsError(Exception):
    def __init__(self, code: str, message: str, status: int = 400, *, json_code: str = "") -> None:
        super().__init__(message)
        self.code, self.message, self.status = code, message, status
        self.json_code = json_code or code
        """The name of the code in AWS JSON, where that differs."""

    @property
    def fault(self) -> str:
        return "Sender" if self.status < 500 else "Receiver"


def invalid_parameter(what: str) -> AwsError:
    return AwsError("InvalidParameter", f"Invalid parameter: {what}")


def not_found(what: str) -> AwsError:
    return AwsError("NotFound", f"{what} does not exist", 404)


def null_values(paths: list[str]) -> AwsError:
    """What a service says of required members that are not there."""
    many = "errors" if len(paths) > 1 else "error"
    said = "; ".join(f"Value null at '{path}' failed to satisfy constraint: Member must not be null" for path in paths)
    return AwsError("ValidationError", f"{len(paths)} validation {many} detected: {said}")
