"""Who may connect."""

import time

from azure.iot.device.exceptions import ConnectionFailedError, CredentialError

from certificates import Certificate
from framework import DEVICE, MQTT, MQTT_WS, SAS, case, equal, refused
from hub import ALIAS


@case("connect/again")
def again(c):
    device = c.device()
    client = c.connect(device)
    client.send_message("first")
    client.disconnect()
    equal(client.connected, False, "connected")
    client.connect()
    client.send_message("second")
    equal([event.body for event in c.events(device).take_many(2)], [b"first", b"second"])


@case("connect/any-legal-id")
def any_legal_id(c):
    # The SDK's connection string has no place for `;` and `=`, its MQTT library none for `+` and `#`.
    device = c.device(suffix="-:.%_*?!(),@$'")
    client = c.connect(device)
    client.send_message("here")
    equal(c.events(device).take().device_id, device.device_id)


@case("connect/plug-and-play-model")
def plug_and_play_model(c):
    device = c.device()
    client = c.connect(device, product_info="dtmi:com:example:Thermostat;1")
    client.send_message("warm")
    equal(c.events(device).take().system.get("dt-dataschema"), "dtmi:com:example:Thermostat;1", "dt-dataschema")
    equal(
        c.hub.rest("GET", f"/twins/{device.device_id}", expect=200).json()["modelId"], "dtmi:com:example:Thermostat;1"
    )


@case("connect/by-a-gateway-name", columns=SAS)
def by_a_gateway_name(c):
    device = c.device()
    names = f"HostName={ALIAS};GatewayHostName={c.hub.host_name}"
    connection_string = f"{names};DeviceId={device.device_id};SharedAccessKey={device.key}"
    client = c.client(device, connection_string=connection_string)
    client.connect()
    client.send_message("by the gateway")
    equal(c.events(device).take().body, b"by the gateway")


@case("connect/idle", columns=(MQTT, MQTT_WS), is_slow=True)
def idle(c):
    device = c.device()
    client = c.client(device, keep_alive=1, connection_retry=False, auto_connect=False)
    states = c.connection_states(client)
    client.connect()
    equal(states.take(), True)
    # What the SDK sends to keep the connection is all that keeps it: three times as long as the hub would wait.
    time.sleep(4.5)
    states.require_empty()
    client.send_message("still here")
    equal(c.events(device).take().body, b"still here")


@case("connect/wrong-key", columns=SAS)
def wrong_key(c):
    device = c.device()
    device.key = "dGhpcyBpcyBub3QgdGhlIGtleSBvZiB0aGlzIGRldmljZQ=="
    refused(c.client(device).connect, CredentialError)


@case("connect/unknown-device")
def unknown_device(c):
    refused(c.client(c.unregistered()).connect, CredentialError)


@case("connect/disabled-device")
def disabled_device(c):
    device = c.device(status="disabled")
    refused(c.client(device).connect, ConnectionFailedError)


@case("connect/module")
def module(c):
    device = c.device()
    module = c.module(device)
    both = c.connect(device), c.connect(module)
    both[1].send_message("from the module")
    both[0].send_message("from the device")
    events = c.events(device).take_many(2)
    found = {event.module_id: event.body for event in events}
    equal(found, {module.module_id: b"from the module", None: b"from the device"})


@case("connect/unknown-module")
def unknown_module(c):
    device = c.device()
    refused(c.client(c.unregistered(device.device_id, "unknown")).connect, CredentialError)


@case("connect/module-with-the-key-of-its-device", columns=SAS)
def module_with_the_key_of_its_device(c):
    device = c.device()
    module = c.module(device)
    module.key = device.key
    refused(c.client(module).connect, CredentialError)


@case("connect/a-key-where-a-certificate-is-due", columns=("py-x509",))
def a_key_where_a_certificate_is_due(c):
    device = c.device()
    device.files, device.key = None, "dGhpcyBpcyBub3QgdGhlIGtleSBvZiB0aGlzIGRldmljZQ=="
    refused(c.client(device).connect, CredentialError)


@case("connect/a-certificate-where-a-key-is-due", columns=("py-mqtt",))
def a_certificate_where_a_key_is_due(c):
    device = c.device()
    other = c.with_certificate(device, Certificate(device.device_id))
    refused(c.client(other).connect, CredentialError)


@case("takeover/the-newest-wins")
def the_newest_wins(c):
    device = c.device()
    old = c.client(device, connection_retry=False, auto_connect=False)
    states = c.connection_states(old)
    old.connect()
    equal(states.take(), True)
    new = c.connect(device)
    equal(states.take(), False, "state of the old connection")
    new.send_message("from the new one")
    equal(c.events(device).take().body, b"from the new one")
    equal(new.connected, True, "the new one is connected")


@case("takeover/not-without-proof", columns=DEVICE)
def not_without_proof(c):
    device = c.device()
    good = c.client(device, connection_retry=False, auto_connect=False)
    good.connect()
    if device.files is not None:
        bad = c.with_certificate(device, Certificate(device.device_id))
    else:
        bad = c.unregistered(device.device_id)
    refused(c.client(bad).connect, CredentialError)
    good.send_message("still here")
    equal(c.events(device).take().body, b"still here")
