"""Certificates that the cases make for their devices."""

import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

HOUR = datetime.timedelta(hours=1)


class Certificate:
    """A certificate with its key; self-signed unless it has an issuer."""

    def __init__(self, name, issuer=None, is_authority=False):
        self._issuer = issuer
        self.key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        now = datetime.datetime.now(datetime.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer.certificate.subject if issuer else subject)
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - HOUR)
            .not_valid_after(now + HOUR)
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        )
        self.certificate = builder.sign(issuer.key if issuer else self.key, hashes.SHA256())

    @property
    def pem(self):
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    @property
    def chain_pem(self):
        """Leaf first, without the root."""
        is_below_root = self._issuer is not None and self._issuer._issuer is not None
        return self.pem + (self._issuer.chain_pem if is_below_root else "")

    def thumbprint(self, algorithm=hashes.SHA256()):
        return self.certificate.fingerprint(algorithm).hex().upper()

    def write(self, directory, name):
        """Writes chain and key; returns their paths."""
        chain, key = Path(directory) / f"{name}.pem", Path(directory) / f"{name}.key"
        chain.write_text(self.chain_pem)
        key.write_bytes(
            self.key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return str(chain), str(key)
