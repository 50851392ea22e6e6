"""Devices and modules that prove themselves by a certificate."""

from azure.iot.device.exceptions import CredentialError
from cryptography.hazmat.primitives import hashes

from certificates import Certificate
from framework import X509_MQTT, Identity, case, equal, refused

COLUMNS = (X509_MQTT,)


def sends(c, identity):
    c.connect(identity).send_message("signed")
    event = c.events(identity).take()
    equal(event.body, b"signed")
    return event


@case("x509/thumbprint-primary", COLUMNS)
def thumbprint_primary(c):
    event = sends(c, c.device())
    assert "x509" in event.system["iothub-connection-auth-method"], event.system


@case("x509/thumbprint-secondary-sha1", COLUMNS)
def thumbprint_secondary_sha1(c):
    device_id = c.new_id()
    certificate = Certificate(device_id)
    other, own = Certificate("other").thumbprint(), certificate.thumbprint(hashes.SHA1())
    c.registry.create_device_with_x509(device_id, other, own, "enabled")
    c.forget_later(device_id)
    sends(c, c.with_certificate(Identity(device_id), certificate))


@case("x509/another-certificate", COLUMNS)
def another_certificate(c):
    device = c.device()
    stranger = c.with_certificate(device, Certificate(device.device_id))
    refused(c.client(stranger).connect, CredentialError)


def authority(c, is_verified=True):
    root = Certificate(f"CA of {c.new_id()}", is_authority=True)
    name = root.certificate.subject.rdns[0].rfc4514_string().split("=")[1].replace(" ", "-")
    entry = {"name": name, "pem": root.pem, "isVerified": is_verified}
    c.hub.change_settings(lambda settings: settings["caCertificates"].append(entry))
    return root


def ca_device(c, certificate_name=None, issuer=None):
    device_id = c.new_id()
    c.registry.create_device_with_certificate_authority(device_id, "enabled")
    c.forget_later(device_id)
    return c.with_certificate(Identity(device_id), Certificate(certificate_name or device_id, issuer))


@case("x509/ca", COLUMNS)
def ca(c):
    sends(c, ca_device(c, issuer=authority(c)))


@case("x509/ca-with-intermediate", COLUMNS)
def ca_with_intermediate(c):
    intermediate = Certificate("line 7", authority(c), is_authority=True)
    sends(c, ca_device(c, issuer=intermediate))


@case("x509/ca-module", COLUMNS)
def ca_module(c):
    root = authority(c)
    device = ca_device(c, issuer=root)
    c.registry.create_module_with_certificate_authority(device.device_id, "module", "")
    module = Identity(device.device_id, "module")
    sends(c, c.with_certificate(module, Certificate(module.name, root)))


@case("x509/ca-proven-by-its-owner", COLUMNS)
def ca_proven_by_its_owner(c):
    root = Certificate(c.new_id("-ca"), is_authority=True)
    path = "/ironhub/v1/certificates"
    name = root.certificate.subject.rdns[0].rfc4514_string().removeprefix("CN=")
    added = c.hub.rest("POST", path, json={"name": name, "pem": root.pem})
    assert added.ok, added.text
    device = ca_device(c, issuer=root)
    refused(c.client(device).connect, CredentialError)
    code = c.hub.rest("POST", f"{path}/{name}/verification-code", expect=200).json()["verificationCode"]
    stranger = Certificate(code, Certificate(name, is_authority=True))
    assert c.hub.rest("POST", f"{path}/{name}/verify", json={"pem": stranger.pem}).status_code == 400
    proof = Certificate(code, root)
    verified = c.hub.rest("POST", f"{path}/{name}/verify", json={"pem": proof.pem})
    assert verified.ok, verified.text
    sends(c, device)


@case("x509/ca-not-verified", COLUMNS)
def ca_not_verified(c):
    device = ca_device(c, issuer=authority(c, is_verified=False))
    refused(c.client(device).connect, CredentialError)


@case("x509/ca-unknown", COLUMNS)
def ca_unknown(c):
    device = ca_device(c, issuer=Certificate("nobody knows it", is_authority=True))
    refused(c.client(device).connect, CredentialError)


@case("x509/ca-certificate-of-another-device", COLUMNS)
def ca_certificate_of_another_device(c):
    device = ca_device(c, certificate_name="another-device", issuer=authority(c))
    refused(c.client(device).connect, CredentialError)
