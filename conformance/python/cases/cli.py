"""What `az iot hub monitor-events`, `monitor-feedback` and `az iot device c2d-message send` say, through the libraries
that they say it with: uamqp, and azure-eventhub's own AMQP in later versions.
"""

import json
import time
import urllib.parse

import uamqp
from azure.core.credentials import AccessToken
from azure.eventhub._pyamqp import ReceiveClient
from azure.eventhub._pyamqp.authentication import JWTTokenAuth
from azure.eventhub._pyamqp.error import AMQPLinkRedirect
from uamqp.authentication import SASTokenAuth
from uamqp.constants import MessageState
from uamqp.errors import AMQPError, LinkDetach, LinkRedirect

import hub as hub_module
from cases.c2d import listening
from framework import CLI_C2D, CLI_EVENTS, case, equal, refused
from hub import WAIT_S

TIMEOUT_MS = WAIT_S * 1000


def endpoint(c, policy="iothubowner", token=None):
    """The host, with a token for SASL PLAIN before it."""
    quote = urllib.parse.quote_plus
    hub_name = c.hub.host_name.split(".")[0]
    return f"{quote(f'{policy}@sas.root.{hub_name}')}:{quote(token or c.hub.policy_token(policy))}@{c.hub.host_name}"


def redirect(c, **proof):
    """Where the hub sends a reader of its own address."""
    source = uamqp.address.Source(f"amqps://{endpoint(c, **proof)}/messages/events/$management")
    client = uamqp.ReceiveClient(source, timeout=TIMEOUT_MS, prefetch=1)
    try:
        return refused(lambda: client.receive_message_batch(max_batch_size=1), LinkRedirect)
    finally:
        client.close()


def events_endpoint(found):
    """Host and event hub, as the extension reads them."""
    return found.hostname.decode(), found.address.decode().replace("amqps://", "").split("/")[1]


def proof(c, host, path):
    return SASTokenAuth.from_shared_access_key(f"sb://{host}/{path}", "iothubowner", c.hub.policy_key("iothubowner"))


def metadata(c, host, path, address):
    client = uamqp.ReceiveClient(uamqp.address.Source(address), auth=proof(c, host, path), timeout=TIMEOUT_MS)
    try:
        client.open()
        request = uamqp.Message(application_properties={"name": path})
        keys = {"status_code_field": b"status-code", "description_fields": b"status-description"}
        answer = client.mgmt_request(request, b"READ", op_type=b"com.microsoft:eventhub", timeout=TIMEOUT_MS, **keys)
        return answer.get_data()
    finally:
        client.close()


def monitor(c, host, path, partition, since_ms, device, count):
    """The first events of the device that were enqueued later."""
    source = uamqp.address.Source(f"amqps://{host}/{path}/ConsumerGroups/{c.group}/Partitions/{partition}")
    source.set_filter(f"amqp.annotation.x-opt-enqueuedtimeutc > {since_ms}".encode())
    client = uamqp.ReceiveClient(source, auth=proof(c, host, path), timeout=TIMEOUT_MS, prefetch=0)
    found = []
    try:
        for message in client.receive_messages_iter():
            if is_telemetry_of(device, message.annotations):
                found.append(message)
            if len(found) == count:
                return found
    finally:
        client.close()
    raise AssertionError(f"{len(found)} events instead of {count}")


def is_telemetry_of(device, annotations):
    device_id, source = annotations[b"iothub-connection-device-id"], annotations[b"iothub-message-source"]
    return (device_id, source) == (device.device_id.encode(), b"Telemetry")


def body(message):
    return b"".join(message.get_data())


@case("cli/monitor-events", (CLI_EVENTS,))
def monitor_events(c):
    device = c.device()
    since_ms = int(time.time() * 1000) - 1
    logged = c.log(device, '{"a": 1}', app={"color": "blue"}, contenttype="application/json", messageid="m1")
    for number in range(50):
        c.hub.send_d2c(device.device_id, str(number))
    found = redirect(c)
    host, path = events_endpoint(found)
    equal((host, path, found.port), (c.hub.host_name, c.hub.event_hub_name, 5671))
    told = metadata(c, host, path, found.address.decode())
    equal((told[b"name"], told[b"partition_count"]), (path.encode(), 4))
    equal(told[b"partition_ids"], [b"0", b"1", b"2", b"3"])
    events = monitor(c, host, path, logged.partition, since_ms, device, 51)
    first = events[0]
    equal([body(event) for event in events], [b'{"a": 1}', *(str(number).encode() for number in range(50))])
    equal((first.properties.content_type, first.properties.message_id), (b"application/json", b"m1"))
    equal(first.application_properties, {b"color": b"blue"})
    equal((first.annotations[b"x-opt-offset"], first.annotations[b"x-opt-sequence-number"]), (
        str(logged.sequence_number).encode(),
        logged.sequence_number,
    ))
    later = monitor(c, host, path, logged.partition, first.annotations[b"x-opt-enqueued-time"], device, 1)
    assert body(later[0]) != b'{"a": 1}', "strictly later"


@case("cli/monitor-events-of-later-versions", (CLI_EVENTS,))
def monitor_events_of_later_versions(c):
    found = refused(lambda: redirect_by_claims(c, c.hub.policy_token("service")), AMQPLinkRedirect)
    equal(found.info[b"hostname"].decode(), c.hub.host_name)
    path = found.info[b"address"].decode().replace("amqps://", "").split("/", 1)[1]
    equal(path.removesuffix("/$management"), c.hub.event_hub_name)


def redirect_by_claims(c, token):
    host = c.hub.host_name
    source = f"amqps://{host}/messages/events/$management"
    auth = JWTTokenAuth(
        uri=source,
        audience=host,
        get_token=lambda: AccessToken(token, int(time.time()) + 360),
        token_type=b"servicebus.windows.net:sastoken",
    )
    client = ReceiveClient(host, source, auth=auth, connection_verify=c.hub.ca_file, timeout=WAIT_S)
    try:
        client.open()
        client.receive_message_batch(max_batch_size=1, timeout=WAIT_S)
    finally:
        client.close()


@case("cli/no-redirect-without-a-right", (CLI_EVENTS,), is_slow=True)
def no_redirect_without_a_right(c):
    host, wrong = c.hub.host_name, c.hub.policy_key("device")
    forged = hub_module.token(host, wrong, int(time.time()) + 60, "iothubowner")
    ended = hub_module.token(host, c.hub.policy_key("iothubowner"), int(time.time()) - 60, "iothubowner")
    for name, policy, token in [
        ("no right", "registryRead", None),
        ("wrong key", "iothubowner", forged),
        ("ended", "iothubowner", ended),
        ("no token", "iothubowner", "nonsense"),
    ]:
        source = uamqp.address.Source(f"amqps://{endpoint(c, policy, token)}/messages/events/$management")
        client = uamqp.ReceiveClient(source, timeout=TIMEOUT_MS, prefetch=1, error_policy=once())
        error = refused(lambda: client.receive_message_batch(max_batch_size=1), AMQPError, name)
        assert not isinstance(error, LinkRedirect), name
        client.close()


def once():
    return uamqp.errors.ErrorPolicy(max_retries=0, on_error=lambda _: uamqp.errors.ErrorAction(retry=False))


@case("cli/unknown-partition", (CLI_EVENTS,))
def unknown_partition(c):
    host, path = c.hub.host_name, c.hub.event_hub_name
    for address in (f"{path}/ConsumerGroups/{c.group}/Partitions/4", f"{path}/ConsumerGroups/no.such/Partitions/0"):
        source = uamqp.address.Source(f"amqps://{host}/{address}")
        client = uamqp.ReceiveClient(source, auth=proof(c, host, path), timeout=TIMEOUT_MS, error_policy=once())
        refused(lambda: client.receive_message_batch(max_batch_size=1), LinkDetach, address)
        client.close()


def send(c, device_id, data, message_id, properties=None, policy="service", token=None, **system):
    """Returns whether the hub took it."""
    system = {"content_encoding": "utf-8", **system}
    about = uamqp.message.MessageProperties(message_id=message_id, to=f"/devices/{device_id}/messages/devicebound")
    for name, value in system.items():
        if name != "ack":
            setattr(about, name, value)
    application = {**(properties or {}), "iothub-ack": system.get("ack", "none")}
    message = uamqp.Message(body=data.encode(), properties=about, application_properties=application)
    target = f"amqps://{endpoint(c, policy, token)}/messages/devicebound"
    client = uamqp.SendClient(target=target, client_name=f"cli/{message_id}")
    client.queue_message(message)
    return MessageState.SendFailed not in client.send_all_messages()


def monitor_feedback(c, message_ids, hand_out):
    """The records about these messages, read until each is there."""
    source = f"amqps://{endpoint(c, 'service')}/messages/servicebound/feedback"
    client = uamqp.ReceiveClient(source, client_name="cli/feedback", timeout=TIMEOUT_MS)
    found = {}
    try:
        for message in client.receive_messages_iter():
            equal(message.properties.content_type, b"application/vnd.microsoft.iothub.feedback.json")
            records = json.loads(body(message))
            hand_out(records)
            found.update((record["originalMessageId"], record) for record in records)
            if set(message_ids) <= set(found):
                message.accept()
                return found
    finally:
        client.close()
    raise AssertionError(f"no feedback about {set(message_ids) - set(found)}")


@case("cli/c2d-message-send", (CLI_C2D,))
def c2d_message_send(c):
    device = c.device()
    _, inbox = listening(c, device)
    expiry_ms = int(time.time() + 3600) * 1000
    system = {
        "correlation_id": "c1",
        "user_id": "somebody",
        "content_type": "application/json",
        "absolute_expiry_time": expiry_ms,
        "ack": "positive",
    }
    equal(send(c, device.device_id, '{"a": 1}', "m1", {"color": "blue ☂"}, **system), True, "accepted")
    message = inbox.take()
    equal((message.data, message.message_id, message.correlation_id), (b'{"a": 1}', "m1", "c1"))
    found = (message.user_id, message.content_type, message.content_encoding, message.ack)
    equal(found, ("somebody", "application/json", "utf-8", "positive"))
    equal({name: value for name, value in message.custom_properties.items() if name[0] != "$"}, {"color": "blue ☂"})


@case("cli/c2d-message-refused", (CLI_C2D,))
def c2d_message_refused(c):
    device = c.device()
    equal(send(c, c.new_id("-unknown"), "x", "m1"), False, "an unknown device")
    equal(send(c, device.device_id, "x", "m1", ack="perhaps"), False, "an unknown kind of feedback")
    equal(send(c, device.device_id, "x" * (64 * 1024 + 1), "m1"), False, "too large")
    for number in range(50):
        c.hub.send_c2d(device.device_id, str(number))
    equal(send(c, device.device_id, "x", "m1"), False, "a full queue")


@case("cli/c2d-message-without-a-right", (CLI_C2D,), is_slow=True)
def c2d_message_without_a_right(c):
    device = c.device()
    forged = hub_module.token(c.hub.host_name, c.hub.policy_key("device"), int(time.time()) + 60, "service")
    for policy, token in [("registryRead", None), ("service", forged)]:
        try:
            taken = send(c, device.device_id, "forged", "m1", policy=policy, token=token)
        except AMQPError:
            taken = False
        equal(taken, False, policy)
    equal(c.registry.get_device(device.device_id).cloud_to_device_message_count, 0)


@case("cli/monitor-feedback", (CLI_C2D,), is_slow=True)
def feedback(c):
    """All that can become of a message."""
    device, name = c.device(), c.new_id()
    ids = {outcome: f"{name}-{outcome}" for outcome in ("Expired", "Rejected", "DeliveryCountExceeded", "Success")}
    with c.hub.feedback.read_elsewhere() as hand_out:
        equal(send(c, device.device_id, "x", ids["Rejected"], ack="negative"), True)
        settle(c, device, "DELETE", "?reject")
        equal(send(c, device.device_id, "x", ids["DeliveryCountExceeded"], ack="full"), True)
        for _ in range(10):
            settle(c, device, "POST", "/abandon")
        equal(c.hub.rest("GET", f"/devices/{device.device_id}/messages/deviceBound").status_code, 204)
        soon = int(time.time() + 3) * 1000
        equal(send(c, device.device_id, "x", ids["Expired"], ack="full", absolute_expiry_time=soon), True)
        expired = monitor_feedback(c, [ids["Expired"]], hand_out)
        _, inbox = listening(c, device)
        equal(send(c, device.device_id, "x", ids["Success"], ack="positive"), True)
        found = {**expired, **monitor_feedback(c, [ids["Success"]], hand_out)}
        if not set(ids.values()) <= set(found):
            found.update(monitor_feedback(c, set(ids.values()) - set(found), hand_out))
    equal(inbox.take().message_id, ids["Success"])
    generation_id = c.registry.get_device(device.device_id).generation_id
    for outcome, message_id in ids.items():
        record = found[message_id]
        equal((record["statusCode"], record["deviceId"]), (outcome, device.device_id))
        equal(record["deviceGenerationId"], generation_id)
        assert record["enqueuedTimeUtc"].endswith("Z"), record


def settle(c, device, method, how):
    """Receives over HTTPS and settles so."""
    path = f"/devices/{device.device_id}/messages/deviceBound"
    lock_token = c.hub.rest("GET", path, expect=200).headers["ETag"].strip('"')
    if how.startswith("?"):
        c.hub.rest(method, f"{path}/{lock_token}", params={how[1:]: ""}, expect=204)
    else:
        c.hub.rest(method, f"{path}/{lock_token}{how}", expect=204)


@case("cli/feedback-without-a-right", (CLI_C2D,), is_slow=True)
def feedback_without_a_right(c):
    source = f"amqps://{endpoint(c, 'registryReadWrite')}/messages/servicebound/feedback"
    client = uamqp.ReceiveClient(source, timeout=TIMEOUT_MS, error_policy=once())
    refused(lambda: client.receive_message_batch(max_batch_size=1), AMQPError)
    client.close()
