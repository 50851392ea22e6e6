"""Cloud-to-device messages, sent by a back end over AMQP: azure-iot-hub."""

import time

from azure.iot.hub import IoTHubRegistryManager
from uamqp import TransportType
from uamqp.errors import AMQPError

from cases.c2d import QUEUE_MESSAGES_MAX, listening
from framework import C2D, C2D_WS, case, equal, refused

COLUMNS = (C2D, C2D_WS)


def back_end(c, policy="service", key=None):
    text = c.hub.connection_string(policy)
    if key is not None:
        text = text.replace(c.hub.policy_key(policy), key)
    way = TransportType.AmqpOverWebsocket if c.column == C2D_WS else TransportType.Amqp
    registry = IoTHubRegistryManager.from_connection_string(text, way)
    c.at_end(registry.amqp_svc_client.disconnect_sync)
    return registry


@case("c2d-send/properties", COLUMNS)
def properties(c):
    device = c.device()
    _, inbox = listening(c, device)
    expiry_ms = int(time.time() + 3600) * 1000
    sent = {
        "messageId": "id 1",
        "correlationId": "correlation/1",
        "contentType": "application/json",
        "contentEncoding": "utf-8",
        "expiryTimeUtc": expiry_ms,
        "iothub-ack": "full",
        "color": "blue & green ☂",
        # Not a name that this SDK knows; so it is the application's own.
        "ack": "mine",
    }
    back_end(c).send_c2d_message(device.device_id, '{"a": "ümläut"}', sent)
    message = inbox.take()
    equal(message.data, '{"a": "ümläut"}'.encode(), "body")
    equal((message.message_id, message.correlation_id), ("id 1", "correlation/1"))
    equal((message.content_type, message.content_encoding, message.ack), ("application/json", "utf-8", "full"))
    expected = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(expiry_ms / 1000))
    assert message.expiry_time_utc.startswith(expected), message.expiry_time_utc
    found = {name: value for name, value in message.custom_properties.items() if not name.startswith("$.")}
    equal(found, {"color": "blue & green ☂", "ack": "mine"})
    record = c.feedback(device).take()
    equal((record["originalMessageId"], record["statusCode"]), ("id 1", "Success"))


@case("c2d-send/in-order", COLUMNS)
def in_order(c):
    device = c.device()
    _, inbox = listening(c, device)
    sender = back_end(c)
    bodies = [f"message {number}" for number in range(20)]
    for body in bodies:
        sender.send_c2d_message(device.device_id, body)
    messages = inbox.take_many(len(bodies))
    equal([message.data.decode() for message in messages], bodies)
    equal(len({message.message_id for message in messages}), len(bodies), "message IDs of the SDK's own")


@case("c2d-send/waits-for-the-device", COLUMNS)
def waits_for_the_device(c):
    device = c.device()
    back_end(c).send_c2d_message(device.device_id, "early")
    equal(c.registry.get_device(device.device_id).cloud_to_device_message_count, 1, "messages waiting")
    _, inbox = listening(c, device)
    equal(inbox.take().data, b"early")


@case("c2d-send/any-legal-id", COLUMNS)
def any_legal_id(c):
    # The SDK on the device's side cannot do with + and #.
    device = c.device("-:.%_*?!(),=@$'")
    back_end(c).send_c2d_message(device.device_id, "for a strange name")
    _, inbox = listening(c, device)
    equal(inbox.take().data, b"for a strange name")


@case("c2d-send/queue-full", COLUMNS)
def queue_full(c):
    device = c.device()
    sender = back_end(c)
    for number in range(QUEUE_MESSAGES_MAX):
        sender.send_c2d_message(device.device_id, str(number))
    refused(lambda: sender.send_c2d_message(device.device_id, "one too many"), Exception)
    _, inbox = listening(c, device)
    equal([message.data for message in inbox.take_many(QUEUE_MESSAGES_MAX)][-1], b"49")
    # The link has outlived the refusal.
    sender.send_c2d_message(device.device_id, "room again")
    equal(inbox.take().data, b"room again")


@case("c2d-send/refused", COLUMNS)
def messages_refused(c):
    device = c.device()
    sender = back_end(c)
    too_large = "x" * (64 * 1024 + 1)
    too_late = int(time.time() - 3600) * 1000
    refused(lambda: sender.send_c2d_message(c.new_id("-unknown"), "nobody is there"), Exception)
    refused(lambda: sender.send_c2d_message("no/such/place", "no such ID"), Exception)
    refused(lambda: sender.send_c2d_message(device.device_id, too_large), Exception)
    refused(lambda: sender.send_c2d_message(device.device_id, "late", {"expiryTimeUtc": too_late}), Exception)
    sender.send_c2d_message(device.device_id, "good")
    _, inbox = listening(c, device)
    equal(inbox.take().data, b"good")


@case("c2d-send/rights", COLUMNS, is_slow=True)
def rights(c):
    device = c.device()
    wrong = c.hub.policy_key("device")
    for policy, key in [("device", None), ("registryReadWrite", None), ("service", wrong)]:
        sender = back_end(c, policy, key)
        refused(lambda: sender.send_c2d_message(device.device_id, "forged"), AMQPError, policy)
    for policy in ("service", "iothubowner"):
        back_end(c, policy).send_c2d_message(device.device_id, policy)
    _, inbox = listening(c, device)
    equal([message.data for message in inbox.take_many(2)], [b"service", b"iothubowner"])


@case("c2d-send/outcomes", COLUMNS, is_slow=True)
def outcomes(c):
    """What became of the messages: MQTT devices complete or let expire; a back end purges."""
    device = c.device()
    sender = back_end(c)
    soon = int(time.time() + 3) * 1000
    about = {"messageId": "late", "iothub-ack": "negative", "expiryTimeUtc": soon}
    sender.send_c2d_message(device.device_id, "x", about)
    found = c.feedback(device).take()
    equal((found["originalMessageId"], found["statusCode"]), ("late", "Expired"))
    for ack in ("none", "positive", "negative", "full"):
        sender.send_c2d_message(device.device_id, "x", {"messageId": ack, "iothub-ack": ack})
    _, inbox = listening(c, device)
    inbox.take_many(4)
    found = [(record["originalMessageId"], record["statusCode"]) for record in c.feedback(device).take_many(2)]
    equal(sorted(found), [("full", "Success"), ("positive", "Success")])


@case("c2d-send/survives-a-kill", COLUMNS, restart="kill")
def survives_a_kill(c):
    device = c.device()
    back_end(c).send_c2d_message(device.device_id, "before")
    c.restart()
    back_end(c).send_c2d_message(device.device_id, "after")
    _, inbox = listening(c, device)
    equal([message.data for message in inbox.take_many(2)], [b"before", b"after"])
