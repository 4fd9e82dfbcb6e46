"""Who signed a request: botocore signs it again with the secret we know, and the two signatures must be the same."""

from __future__ import annotations

import hmac
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from alerts.aws.errors import AwsError

SKEW_MAX_S = 15 * 60
HEADER = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>[^/]+)/(?P<day>\d{8})/(?P<region>[^/]+)/(?P<service>[^/]+)/aws4_request,"
    r"\s*SignedHeaders=(?P<headers>[^,]+),\s*Signature=(?P<signature>[0-9a-f]{64})"
)


@dataclass(frozen=True, slots=True)
class Signed:
    access_key: str
    region: str
    service: str


@dataclass(frozen=True, slots=True)
class HttpRequest:
    method: str
    url: str
    headers: Mapping[str, str]  # names in lower case
    body: bytes


def claimed(request: HttpRequest) -> Signed | None:
    """Who the request says that it comes from; None where it is not signed."""
    found = HEADER.fullmatch(request.headers.get("authorization", ""))
    return Signed(found["key"], found["region"], found["service"]) if found else None


def check_signature(request: HttpRequest, secrets: Mapping[str, str]) -> Signed:
    """`secrets`: access key → secret key. Raises AwsError as AWS would."""
    found = HEADER.fullmatch(request.headers.get("authorization", ""))
    if found is None:
        raise AwsError("MissingAuthenticationToken", "Request is missing Authentication Token", 403)
    if found["key"] not in secrets:
        raise AwsError("InvalidClientTokenId", "The security token included in the request is invalid.", 403)
    date = request.headers.get("x-amz-date", "")
    check_date(date, found["day"])
    auth = SigV4Auth(Credentials(found["key"], secrets[found["key"]]), found["service"], found["region"])
    again = AWSRequest(request.method, request.url, data=request.body)
    for name in found["headers"].split(";"):
        again.headers[name] = request.headers.get(name, "")
    again.context["timestamp"] = date
    if "x-amz-content-sha256" in request.headers:
        again.headers["X-Amz-Content-SHA256"] = request.headers["x-amz-content-sha256"]
    signature = auth.signature(auth.string_to_sign(again, auth.canonical_request(again)), again)
    if not hmac.compare_digest(signature, found["signature"]):
        raise AwsError(
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided. Check your AWS Secret"
            " Access Key and signing method. Consult the service documentation for details.",
            403,
        )
    return Signed(found["key"], found["region"], found["service"])


def check_date(date: str, day: str) -> None:
    try:
        signed_at = datetime.strptime(date, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
    except ValueError:
        raise AwsError("IncompleteSignature", f"Date must be in ISO-8601 'basic format'. Got '{date}'.", 400) from None
    if not date.startswith(day) or abs(time.time() - signed_at) > SKEW_MAX_S:
        raise AwsError("SignatureDoesNotMatch", f"Signature expired: {date} is not within 15 minutes of now", 403)
