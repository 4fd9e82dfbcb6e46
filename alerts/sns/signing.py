"""The key that signs what SNS sends, its certificate, and AWS's canonical text of a message.

https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html: version 1 is SHA-1,
version 2 SHA-256, both with RSA and PKCS #1 v1.5. Subscribers fetch the certificate from the message's SigningCertURL.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

from alerts.sns.state import Store

KEY_BITS = 2048
VALID = timedelta(days=397)
IN_NOTIFICATIONS = ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")
IN_CONFIRMATIONS = ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
HASHES: dict[str, hashes.HashAlgorithm] = {"1": hashes.SHA1(), "2": hashes.SHA256()}


def canonical(message: Mapping[str, str]) -> bytes:
    names = IN_NOTIFICATIONS if message["Type"] == "Notification" else IN_CONFIRMATIONS
    return "".join(f"{name}\n{message[name]}\n" for name in names if message.get(name) is not None).encode()


@dataclass(frozen=True, slots=True)
class Signer:
    key: rsa.RSAPrivateKey
    certificate: bytes  # PEM

    @classmethod
    def kept_in(cls, store: Store) -> Signer:
        """The same one after a restart, so that messages of before still verify."""
        for _, kept in store.all("signer"):
            key = serialization.load_pem_private_key(kept["key"].encode(), None)
            assert isinstance(key, rsa.RSAPrivateKey)
            return cls(key, kept["certificate"].encode())
        key = rsa.generate_private_key(65537, KEY_BITS)
        made = cls(key, certificate_of(key))
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        store.put("signer", "", {"key": pem.decode(), "certificate": made.certificate.decode()})
        return made

    @property
    def path(self) -> str:
        """Where the certificate is served."""
        return f"/SimpleNotificationService-{hashlib.sha256(self.certificate).hexdigest()[:32]}.pem"

    def sign(self, message: Mapping[str, str]) -> str:
        signature = self.key.sign(canonical(message), padding.PKCS1v15(), HASHES[message["SignatureVersion"]])
        return base64.b64encode(signature).decode()


def certificate_of(key: rsa.RSAPrivateKey) -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + VALID)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    )
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def is_authentic(message: Mapping[str, str], certificate: bytes) -> bool:
    """For subscribers: whether this certificate's key signed the message."""
    key = x509.load_pem_x509_certificate(certificate).public_key()
    algorithm = HASHES.get(message.get("SignatureVersion", ""))
    if not isinstance(key, rsa.RSAPublicKey) or algorithm is None:
        return False
    try:
        key.verify(base64.b64decode(message["Signature"]), canonical(message), padding.PKCS1v15(), algorithm)
    except (InvalidSignature, ValueError, KeyError):
        return False
    return True
