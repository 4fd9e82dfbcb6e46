"""The handshake, and signatures that verifiers of others accept."""

from __future__ import annotations

import base64
import json
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest
from sns_message_validator import SignatureVerificationFailureException, SNSMessageValidator

from alerts.sns.signing import Signer, is_authentic
from alerts.sns.state import Store
from tests.alerts.oracle.aws import Aws, http_endpoint


def delivered(aws: Aws, version: str) -> list[dict[str, Any]]:
    """A confirmation and a notification with a subject, as an endpoint got them."""
    topic = aws.topic(SignatureVersion=version)
    with http_endpoint() as endpoint:
        aws.sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=endpoint.url)
        httpx.get(endpoint.wait(1).document["SubscribeURL"])
        aws.sns.publish(TopicArn=topic, Subject="a subject", Message="several\nlines – and more")
        endpoint.wait(2)
    return [heard.document for heard in endpoint.heard]


def validator(aws: Aws) -> SNSMessageValidator:
    return SNSMessageValidator(cert_url_regex=f"^{aws.stand.url}/SimpleNotificationService-", signature_version="1")


def test_a_published_verifier_accepts_what_is_sent_and_nothing_altered(aws: Aws) -> None:
    for document in delivered(aws, "1"):
        validator(aws).validate_message(document)
        with pytest.raises(SignatureVerificationFailureException):
            validator(aws).validate_message({**document, "Message": "altered"})


def test_version_two_is_signed_with_sha256_over_the_same_text(aws: Aws) -> None:
    for document in delivered(aws, "2"):
        certificate = httpx.get(document["SigningCertURL"]).content
        assert document["SignatureVersion"] == "2"
        assert is_authentic(document, certificate)
        assert not is_authentic({**document, "MessageId": "altered"}, certificate)
        assert not is_authentic({**document, "SignatureVersion": "1"}, certificate)


def test_openssl_verifies_both_versions(aws: Aws, tmp_path: Path) -> None:
    """As a subscriber would that uses nothing of ours: https://docs.aws.amazon.com/sns, "verifying the signatures"."""
    for version, digest in (("1", "-sha1"), ("2", "-sha256")):
        confirmation, notification = delivered(aws, version)
        for document, names in (
            (confirmation, ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")),
            (notification, ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")),
        ):
            certificate, key, signature = (tmp_path / name for name in ("certificate.pem", "key.pem", "signature"))
            certificate.write_bytes(httpx.get(document["SigningCertURL"]).content)
            signature.write_bytes(base64.b64decode(document["Signature"]))
            text = "".join(f"{name}\n{document[name]}\n" for name in names).encode()
            shown = subprocess.run(["openssl", "x509", "-in", certificate, "-pubkey", "-noout"], capture_output=True)
            key.write_bytes(shown.stdout)
            verify = ["openssl", "dgst", digest, "-verify", key, "-signature", signature]
            assert subprocess.run(verify, input=text, capture_output=True).returncode == 0
            assert subprocess.run(verify, input=text + b"x", capture_output=True).returncode == 1


def test_the_key_outlives_the_process() -> None:
    store = Store(None)
    assert Signer.kept_in(store).certificate == Signer.kept_in(store).certificate


def test_who_has_not_confirmed_gets_nothing_but_the_question(aws: Aws) -> None:
    topic = aws.topic()
    with http_endpoint() as endpoint:
        aws.sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=endpoint.url)
        question = endpoint.wait(1).document
        aws.sns.publish(TopicArn=topic, Message="too early")
        aws.settle()
        assert len(endpoint.heard) == 1
        httpx.get(question["SubscribeURL"])
        aws.sns.publish(TopicArn=topic, Message="in time")
        assert endpoint.wait(2).document["Message"] == "in time"


@pytest.mark.parametrize(
    ("subject", "taken"),
    [("x" * 100, True), ("x" * 101, False), ("two\nlines", False), (" begins with a space", False), ("ä", False)],
)
def test_subjects_are_those_that_aws_takes(aws: Aws, subject: str, taken: bool) -> None:
    topic = aws.topic()
    if taken:
        aws.sns.publish(TopicArn=topic, Subject=subject, Message="x")
    else:
        with pytest.raises(aws.sns.exceptions.InvalidParameterException, match="Subject"):
            aws.sns.publish(TopicArn=topic, Subject=subject, Message="x")


def test_a_message_may_have_256_kib_and_no_byte_more(aws: Aws) -> None:
    topic = aws.topic()
    aws.sns.publish(TopicArn=topic, Message="x" * 262_144)
    with pytest.raises(aws.sns.exceptions.InvalidParameterException, match="Message too long"):
        aws.sns.publish(TopicArn=topic, Message="x" * 262_145)


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({}, "MissingAuthenticationToken"),
        ({"Authorization": "AWS4-HMAC-SHA256 Credential=NOBODY/20261121/us-east-1/sns/aws4_request,"
          f" SignedHeaders=host, Signature={'0' * 64}"}, "InvalidClientTokenId"),
    ],
)  # fmt: skip
def test_who_does_not_sign_or_is_unknown_is_refused(aws: Aws, headers: dict[str, str], code: str) -> None:
    asked = {"Action": "Publish", "TopicArn": aws.topic(), "Message": "x"}
    answer = httpx.post(aws.stand.url, data=asked, headers=headers)
    assert answer.status_code == 403
    assert f"<Code>{code}</Code>" in answer.text


def test_a_request_signed_with_another_secret_is_refused(aws: Aws) -> None:
    with pytest.raises(aws.sns.exceptions.ClientError, match="SignatureDoesNotMatch"):
        aws.stand.client("sns", secret="another").list_topics()


def test_the_document_is_json_with_the_signature_in_base64(aws: Aws) -> None:
    _, notification = delivered(aws, "1")
    assert len(base64.b64decode(notification["Signature"], validate=True)) == 256
    assert json.loads(json.dumps(notification))["Subject"] == "a subject"
