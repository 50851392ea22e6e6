"""What takes an identity's right to connect also ends its connection, before its next message is accepted."""

from azure.iot.device.exceptions import ConnectionFailedError, CredentialError
from azure.iot.hub.models import Module

from certificates import Certificate
from framework import DEVICE, X509_MQTT, case, equal, refused


def connected(c, identity):
    """A client that stays away once it is cut, and the changes of its connection."""
    client = c.client(identity, connection_retry=False, auto_connect=False)
    states = c.connection_states(client)
    client.connect()
    equal(states.take(), True)
    return client, states


def set_status(c, device, status):
    if c.column == X509_MQTT:
        thumbprint = device.certificate.thumbprint()
        c.registry.update_device_with_x509(device.device_id, "*", thumbprint, thumbprint, status)
    else:
        keys = c.registry.get_device(device.device_id).authentication.symmetric_key
        c.registry.update_device_with_sas(device.device_id, "*", keys.primary_key, keys.secondary_key, status)


@case("cut/disabled")
def disabled(c):
    device = c.device()
    client, states = connected(c, device)
    client.send_message("before")
    set_status(c, device, "disabled")
    # Whether the client has noticed or not: this must not be accepted.
    refused(lambda: client.send_message("too late"), Exception)
    equal(states.take(), False)
    refused(client.connect, ConnectionFailedError)
    set_status(c, device, "enabled")
    # Another client: the first one would send again what was not acknowledged.
    client.shutdown()
    c.connect(device).send_message("after")
    equal([event.body for event in c.events(device).take_many(2)], [b"before", b"after"])


@case("cut/deleted")
def deleted(c):
    device = c.device()
    client, states = connected(c, device)
    c.registry.delete_device(device.device_id)
    equal(states.take(), False)
    refused(client.connect, CredentialError)


@case("cut/key-rolled", columns=DEVICE)
def key_rolled(c):
    device = c.device()
    client, states = connected(c, device)
    if c.column == X509_MQTT:
        thumbprint = Certificate("new").thumbprint()
        c.registry.update_device_with_x509(device.device_id, "*", thumbprint, thumbprint, "enabled")
    else:
        c.registry.update_device_with_sas(device.device_id, "*", "", "", "enabled")
    equal(states.take(), False)
    refused(client.connect, CredentialError)


@case("cut/module-of-a-deleted-device")
def module_of_a_deleted_device(c):
    device = c.device()
    client, states = connected(c, c.module(device))
    c.registry.delete_device(device.device_id)
    equal(states.take(), False)
    refused(client.connect, CredentialError)


@case("cut/another-change-does-not")
def another_change_does_not(c):
    device = c.device()
    client, states = connected(c, device)
    c.registry.create_module_with_certificate_authority(device.device_id, "other", "")
    c.registry.protocol.modules.create_or_update_identity(
        device.device_id, "other", Module(device_id=device.device_id, module_id="other", managed_by="someone"), "*"
    )
    set_status(c, device, "enabled")
    client.send_message("still here")
    equal(c.events(device).take().body, b"still here")
    states.require_empty()
