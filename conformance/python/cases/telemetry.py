"""Device-to-cloud messages, read back from the events."""

import json
from concurrent.futures import ThreadPoolExecutor

from azure.iot.device import Message

from framework import MQTT, case, equal, refused

# Body, values of system properties, names and values of application properties.
MESSAGE_BYTES_MAX = 256 * 1024

# The SDK refuses what Python needs more than the limit for: a body comes this close to it.
OVERHEAD_BYTES = 1024


def too_large_message():
    """The SDK does not count the names of properties; the hub does."""
    message = Message(b"x" * (MESSAGE_BYTES_MAX - OVERHEAD_BYTES))
    message.custom_properties["n" * (2 * OVERHEAD_BYTES)] = "1"
    return message


@case("telemetry/in-order")
def in_order(c):
    device = c.device()
    client = c.connect(device)
    bodies = [f"message {number}".encode() for number in range(20)]
    for body in bodies:
        client.send_message(Message(body))
    events = c.events(device).take_many(len(bodies))
    equal([event.body for event in events], bodies)
    numbers = [event.sequence_number for event in events]
    equal(numbers, sorted(numbers), "sequence numbers")
    equal({event.partition for event in events}, {events[0].partition}, "partitions of one device")


@case("telemetry/stamps-of-the-hub")
def stamps_of_the_hub(c):
    device = c.device()
    c.connect(device).send_message("x")
    stamps = c.events(device).take().system
    equal(stamps["iothub-connection-device-id"], device.device_id)
    generation_id = c.registry.get_device(device.device_id).generation_id
    equal(stamps["iothub-connection-auth-generation-id"], generation_id)
    method = json.loads(stamps["iothub-connection-auth-method"])
    expected = ("x509Certificate", "external") if device.files else ("sas", "iothub")
    equal((method["scope"], method["type"], method["issuer"]), ("device", *expected))


@case("telemetry/bodies")
def bodies(c):
    device = c.device()
    client = c.connect(device)
    sent = ["", "text with ümläuts ☂", b"\x00\xff\xfe binary", '{"temperature": 21.5, "list": [1, null]}']
    for body in sent:
        client.send_message(Message(body))
    expected = [body.encode() if isinstance(body, str) else body for body in sent]
    equal([event.body for event in c.events(device).take_many(len(sent))], expected)


@case("telemetry/largest")
def largest(c):
    device = c.device()
    client = c.connect(device)
    body = b"x" * (MESSAGE_BYTES_MAX - OVERHEAD_BYTES)
    client.send_message(Message(body))
    equal(c.events(device).take().body == body, True, "the body is what was sent")


@case("telemetry/too-large")
def too_large(c):
    device = c.device()
    client = c.client(device, connection_retry=False, auto_connect=False)
    states = c.connection_states(client)
    client.connect()
    client.send_message("before")
    # The hub closes the connection, having no other way to say it.
    refused(lambda: client.send_message(too_large_message()), Exception)
    equal(states.take_many(2), [True, False], "states")
    # Another client: the first one would send again what was not acknowledged.
    client.shutdown()
    c.connect(device).send_message("after")
    equal([event.body for event in c.events(device).take_many(2)], [b"before", b"after"])


@case("telemetry/application-properties")
def application_properties(c):
    device = c.device()
    message = Message("x")
    expected = {
        "plain": "value",
        "empty": "",
        "with blank & ampersand": "a=b&c=d/e?f#g",
        "percent%41": "100%",
        "ümläut": "☂ +plus+",
        "$.own": "own",
    }
    message.custom_properties.update(expected)
    c.connect(device).send_message(message)
    equal(c.events(device).take().properties, expected)


@case("telemetry/system-properties")
def system_properties(c):
    device = c.device()
    message = Message('{"a": 1}', message_id="id 1/ä", content_encoding="utf-8", content_type="application/json")
    message.correlation_id = "correlation&1"
    message.user_id = "user=1"
    message.expiry_time_utc = "2030-01-01T00:00:00Z"
    message.custom_properties["own"] = "1"
    c.connect(device).send_message(message)
    event = c.events(device).take()
    expected = {
        "message-id": "id 1/ä",
        "correlation-id": "correlation&1",
        "user-id": "user=1",
        "content-type": "application/json",
        "content-encoding": "utf-8",
    }
    equal({name: event.system.get(name) for name in expected}, expected)
    equal(event.properties, {"own": "1"})
    assert str(event.system.get("absolute-expiry-time")).startswith("2030-01-01T00:00:00"), event.system


@case("telemetry/security-message", columns=(MQTT,))
def security_message(c):
    device = c.device()
    message = Message("x")
    message.set_as_security_message()
    c.connect(device).send_message(message)
    event = c.events(device).take()
    found = event.system.get("iothub-interface-id")
    equal(found, "urn:azureiot:Security:SecurityAgent:1", "iothub-interface-id")


@case("telemetry/many-at-once")
def many_at_once(c):
    device = c.device()
    client = c.connect(device)
    bodies = {f"message {number}".encode() for number in range(50)}
    with ThreadPoolExecutor(10) as pool:
        list(pool.map(lambda body: client.send_message(Message(body)), bodies))
    equal({event.body for event in c.events(device).take_many(len(bodies))}, bodies)
    c.events(device).require_empty()


@case("telemetry/module")
def module(c):
    device = c.device()
    module = c.module(device)
    client = c.connect(module)
    message = Message("from the module")
    message.custom_properties["own"] = "1"
    client.send_message(message)
    client.send_message_to_output("to an output", "out")
    first, second = c.events(device).take_many(2)
    equal((first.body, first.module_id, first.properties), (b"from the module", module.module_id, {"own": "1"}))
    equal((second.body, second.module_id), (b"to an output", module.module_id))


@case("telemetry/module-too-large")
def module_too_large(c):
    device = c.device()
    module = c.module(device)
    client = c.client(module, connection_retry=False, auto_connect=False)
    states = c.connection_states(client)
    client.connect()
    refused(lambda: client.send_message(too_large_message()), Exception)
    equal(states.take_many(2), [True, False], "states")
    client.shutdown()
    c.connect(module).send_message("after")
    equal(c.events(device).take().body, b"after")
