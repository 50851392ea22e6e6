"""Cloud-to-device messages: sent over REST, received by the SDK."""

import datetime

from framework import MQTT, case, equal
from hub import Inbox

QUEUE_MESSAGES_MAX = 50


def listening(c, device, **options):
    """A connected client and what it receives."""
    inbox = Inbox("C2D message")
    client = c.connect(device, **options)
    client.on_message_received = inbox.put
    return client, inbox


@case("c2d/properties")
def properties(c):
    device = c.device()
    _, inbox = listening(c, device)
    expiry = datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=1)
    c.hub.send_c2d(
        device.device_id,
        b"\x00binary\xff",
        messageid="id 1",
        correlationid="correlation/1",
        userid="back end",
        contenttype="application/json",
        contentencoding="utf-8",
        ack="full",
        expiry=expiry.strftime("%Y-%m-%dT%H:%M:%SZ"),
        app={"color": "blue & green", "empty": ""},
    )
    message = inbox.take()
    equal(message.data, b"\x00binary\xff", "body")
    found = (message.message_id, message.correlation_id, message.user_id)
    equal(found, ("id 1", "correlation/1", "back end"))
    equal((message.content_type, message.content_encoding, message.ack), ("application/json", "utf-8", "full"))
    assert message.expiry_time_utc.startswith(expiry.strftime("%Y-%m-%dT%H:%M:%S")), message.expiry_time_utc
    found = {name: value for name, value in message.custom_properties.items() if not name.startswith("$.")}
    equal(found, {"color": "blue & green", "empty": ""})


@case("c2d/in-order")
def in_order(c):
    device = c.device()
    _, inbox = listening(c, device)
    bodies = [f"message {number}".encode() for number in range(30)]
    for body in bodies:
        c.hub.send_c2d(device.device_id, body)
    equal([message.data for message in inbox.take_many(len(bodies))], bodies)
    equal(c.registry.get_device(device.device_id).cloud_to_device_message_count, 0, "messages left")


@case("c2d/waits-for-the-device")
def waits_for_the_device(c):
    device = c.device()
    for number in range(3):
        c.hub.send_c2d(device.device_id, f"early {number}")
    equal(c.registry.get_device(device.device_id).cloud_to_device_message_count, 3, "messages waiting")
    client, inbox = listening(c, device)
    equal([message.data for message in inbox.take_many(3)], [b"early 0", b"early 1", b"early 2"])
    client.disconnect()
    c.hub.send_c2d(device.device_id, "later")
    # The subscription outlives the connection: the SDK does not subscribe again.
    client.connect()
    equal(inbox.take().data, b"later")


@case("c2d/after-a-cut")
def after_a_cut(c):
    device = c.device()
    client, inbox = listening(c, device)
    states = c.connection_states(client)
    # The newest connection wins; the client comes back by itself and takes over in its turn.
    intruder = c.client(device, connection_retry=False, auto_connect=False)
    intruder.connect()
    equal(states.take_many(2), [False, True], "states")
    c.hub.send_c2d(device.device_id, "after the cut")
    equal(inbox.take().data, b"after the cut")


@case("c2d/queue-full")
def queue_full(c):
    device = c.device()
    for number in range(QUEUE_MESSAGES_MAX):
        c.hub.send_c2d(device.device_id, f"{number}")
    answer = c.hub.send_c2d(device.device_id, "one too many", expect=403)
    equal(answer.headers["iothub-errorcode"], "DeviceMaximumQueueDepthExceeded")
    _, inbox = listening(c, device)
    equal([message.data for message in inbox.take_many(QUEUE_MESSAGES_MAX)][-1], b"49")
    c.hub.send_c2d(device.device_id, "room again")
    equal(inbox.take().data, b"room again")


@case("c2d/unknown-device", columns=(MQTT,))
def unknown_device(c):
    answer = c.hub.send_c2d(c.new_id(), "nobody is there", expect=404)
    equal(answer.headers["iothub-errorcode"], "DeviceNotFound")


@case("c2d/too-large", columns=(MQTT,))
def too_large(c):
    device = c.device()
    c.hub.send_c2d(device.device_id, b"x" * (64 * 1024 + 1), expect=413)
    _, inbox = listening(c, device)
    c.hub.send_c2d(device.device_id, b"x" * 65_000)
    equal(len(inbox.take().data), 65_000)


@case("c2d/completed-by-the-client")
def completed_by_the_client(c):
    device = c.device()
    _, inbox = listening(c, device)
    c.hub.send_c2d(device.device_id, "none", messageid="m0", ack="none")
    c.hub.send_c2d(device.device_id, "negative", messageid="m1", ack="negative")
    c.hub.send_c2d(device.device_id, "positive", messageid="m2", ack="positive")
    c.hub.send_c2d(device.device_id, "full", messageid="m3", ack="full")
    inbox.take_many(4)
    records = c.feedback(device).take_many(2)
    found = [(record["originalMessageId"], record["statusCode"], record["description"]) for record in records]
    equal(sorted(found), [("m2", "Success", "Success"), ("m3", "Success", "Success")])
    generation_id = c.registry.get_device(device.device_id).generation_id
    equal({record["deviceGenerationId"] for record in records}, {generation_id})


@case("c2d/expired", is_slow=True)
def expired(c):
    device = c.device()
    soon = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=4)
    expiry = soon.strftime("%Y-%m-%dT%H:%M:%SZ")
    c.hub.send_c2d(device.device_id, "short-lived", messageid="short", ack="full", expiry=expiry)
    c.hub.send_c2d(device.device_id, "long-lived", messageid="long")
    record = c.feedback(device).take()
    equal((record["originalMessageId"], record["statusCode"]), ("short", "Expired"))
    _, inbox = listening(c, device)
    equal(inbox.take().data, b"long-lived", "what is left")


@case("c2d/expired-already", columns=(MQTT,))
def expired_already(c):
    device = c.device()
    answer = c.hub.send_c2d(device.device_id, "late", expect=403, expiry="2020-01-01T00:00:00Z")
    equal(answer.headers["iothub-errorcode"], "InvalidMessageExpiryTime")


@case("c2d/purged", columns=(MQTT,))
def purged(c):
    device = c.device()
    for number in range(3):
        c.hub.send_c2d(device.device_id, f"{number}", messageid=f"m{number}", ack="negative")
    purged = c.hub.rest("DELETE", f"/devices/{device.device_id}/commands", expect=200).json()
    equal(purged, {"totalMessagesPurged": 3, "deviceId": device.device_id, "moduleId": None})
    records = c.feedback(device).take_many(3)
    equal({record["statusCode"] for record in records}, {"Purged"})
    _, inbox = listening(c, device)
    c.hub.send_c2d(device.device_id, "fresh")
    equal(inbox.take().data, b"fresh")


@case("c2d/not-for-modules", columns=(MQTT,))
def not_for_modules(c):
    device = c.device()
    c.module(device)
    path = f"/devices/{device.device_id}/modules/module/messages/deviceBound"
    equal(c.hub.rest("POST", path, policy="service", data="x").status_code, 404)
