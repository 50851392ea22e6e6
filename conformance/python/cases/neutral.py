"""A client that knows AMQP 1.0 and nothing of Azure: Qpid Proton."""

import json
import time

import proton
from proton import ConnectionException, Delivery, Described, Message, SSLDomain, symbol
from proton.reactor import AtMostOnce, LinkOption, Selector
from proton.utils import BlockingConnection, ConnectionClosed, LinkDetached

import hub as hub_module
from cases.c2d import listening
from framework import PROTON_C2D, PROTON_DEVICE, PROTON_EVENTS, case, equal, refused
from hub import WAIT_S

SELECTOR = "apache.org:selector-filter:string"


def connect(c, user, password, mechanism="PLAIN", plain=False):
    host = c.hub.host_name
    domain = None
    if not plain:
        domain = SSLDomain(SSLDomain.MODE_CLIENT)
        domain.set_trusted_ca_db(c.hub.ca_file)
        domain.set_peer_authentication(SSLDomain.VERIFY_PEER)
    connection = BlockingConnection(
        f"amqp://{host}:5672" if plain else f"amqps://{host}:5671",
        timeout=WAIT_S,
        ssl_domain=domain,
        user=user,
        password=password,
        allowed_mechs=mechanism,
        allow_insecure_mechs=True,
    )
    c.at_end(connection.close)
    return connection


def back_end(c, policy="service", token=None, **more):
    hub_name = c.hub.host_name.split(".")[0]
    return connect(c, f"{policy}@sas.root.{hub_name}", token or c.hub.policy_token(policy), **more)


def device_end(c, device, token=None):
    hub_name = c.hub.host_name.split(".")[0]
    return connect(c, f"{device.device_id}@sas.{hub_name}", token or c.token(device, 3600))


def partition_address(c, partition, group=None):
    return f"{c.hub.event_hub_name}/ConsumerGroups/{group or c.group}/Partitions/{partition}"


def from_event(logged):
    return Selector(f"amqp.annotation.x-opt-sequence-number >= '{logged.sequence_number}'", name=SELECTOR)


def links_refused(connection, condition, address, options=None, is_sender=False):
    create = connection.create_sender if is_sender else connection.create_receiver
    error = refused(lambda: create(address, options=options), LinkDetached, address)
    equal(error.condition, condition, address)
    return str(error)


def take_own(receiver, device):
    """The next event of the device."""
    while True:
        message = receiver.receive()
        if message.annotations[symbol("iothub-connection-device-id")] == device.device_id:
            return message


def data(message):
    """The body, copied as long as the message is there."""
    return bytes(message.body)


def take_reply(receiver):
    """The reply, settled if the hub has not done so."""
    reply = receiver.receive()
    if receiver.fetcher.unsettled:
        receiver.accept()
    return reply


# Events.


@case("neutral/read", (PROTON_EVENTS,))
def read(c):
    device = c.device()
    logged = c.log(device, b"\x00\xff", app={"color": "blue"}, contenttype="application/octet-stream")
    c.log(device, "second")
    for plain in (False, True):
        connection = back_end(c, plain=plain)
        receiver = connection.create_receiver(partition_address(c, logged.partition), 5, options=[from_event(logged)])
        message = take_own(receiver, device)
        equal((data(message), message.properties), (b"\x00\xff", {"color": "blue"}))
        equal(str(message.content_type), "application/octet-stream")
        found = {str(name): type(value).__name__ for name, value in message.annotations.items()}
        expected = {
            "x-opt-sequence-number": "int",
            "x-opt-offset": "str",
            "x-opt-enqueued-time": "timestamp",
            "iothub-enqueuedtime": "timestamp",
            "iothub-connection-device-id": "str",
            "iothub-connection-auth-method": "str",
            "iothub-connection-auth-generation-id": "str",
            "iothub-message-source": "str",
        }
        equal(found, expected)
        equal(receiver.fetcher.unsettled, type(receiver.fetcher.unsettled)(), "all come settled")
        equal(data(take_own(receiver, device)), b"second")
        connection.close()


class Filters(LinkOption):
    """Any filters, of any type."""

    def __init__(self, filters):
        self._filters = filters

    def test(self, link):
        return link.is_receiver

    def apply(self, link):
        link.source.filter.put_dict(self._filters)


@case("neutral/links-refused", (PROTON_EVENTS,))
def events_refused(c):
    device = c.device()
    logged = c.log(device, "x")
    here = partition_address(c, logged.partition)
    connection = back_end(c)
    text = links_refused(connection, "amqp:not-found", partition_address(c, 0, "no.such.group"))
    assert "could not be found" in text, text
    links_refused(connection, "amqp:not-found", "elsewhere/ConsumerGroups/$Default/Partitions/0")
    links_refused(connection, "com.microsoft:argument-out-of-range", partition_address(c, 4, "$Default"))
    links_refused(connection, "amqp:not-found", "no/such/place")
    links_refused(connection, "amqp:unauthorized-access", c.hub.event_hub_name, is_sender=True)
    for text in ("nonsense", "amqp.annotation.x-opt-offset = '1'", "amqp.annotation.x-opt-sequence-number > 'one'"):
        links_refused(connection, "com.microsoft:argument-error", here, [Selector(text, name=SELECTOR)])
    beyond = Selector("amqp.annotation.x-opt-offset > '1000000000'", name=SELECTOR)
    text = links_refused(connection, "com.microsoft:argument-error", here, [beyond])
    assert "1000000000" in text, text
    number = {symbol(SELECTOR): Described(symbol(SELECTOR), 5)}
    links_refused(connection, "amqp:not-allowed", here, [Filters(number)])
    # The connection has borne it all.
    receiver = connection.create_receiver(here, options=[from_event(logged)])
    equal(take_own(receiver, device).body is not None, True)


@case("neutral/six-readers", (PROTON_EVENTS,))
def six_readers(c):
    device, group = c.device(), c.group
    logged = c.log(device, "for five")
    address = partition_address(c, logged.partition, group)
    connection = back_end(c)
    five = [connection.create_receiver(address, name=str(number), options=[from_event(logged)]) for number in range(5)]
    text = links_refused(connection, "amqp:resource-limit-exceeded", address, [from_event(logged)])
    assert "5" in text, text
    for receiver in five:
        equal(data(take_own(receiver, device)), b"for five")
    five[0].close()
    sixth = connection.create_receiver(address, name="6", options=[from_event(logged)])
    equal(data(take_own(sixth, device)), b"for five")


@case("neutral/drain", (PROTON_EVENTS,))
def drain(c):
    device = c.device()
    logged = c.log(device, "first")
    c.log(device, "last")
    connection = back_end(c)
    receiver = connection.create_receiver(partition_address(c, logged.partition), 0, options=[from_event(logged)])
    link = receiver.link
    link.drain(1000)
    connection.wait(lambda: not link.credit, msg="draining")
    bodies = [data(receiver.fetcher.pop()) for _ in range(receiver.fetcher.has_message)]
    assert b"first" in bodies and b"last" in bodies, bodies


@case("neutral/claims", (PROTON_EVENTS,))
def claims(c):
    """Claims-based security, spelt out."""
    host, hub_name = c.hub.host_name, c.hub.event_hub_name
    device = c.device()
    logged = c.log(device, "x")
    connection = connect(c, None, None, "ANONYMOUS")
    here = partition_address(c, logged.partition)
    links_refused(connection, "amqp:unauthorized-access", here)
    good, now = c.hub.policy_key("service"), int(time.time())
    tokens = [
        (401, hub_module.token(host, c.hub.policy_key("device"), now + 60, "service")),
        (401, hub_module.token(host, good, now - 60, "service")),
        (401, hub_module.token(host, good, now + 60, "nobody")),
        (404, hub_module.token(f"sb://{host}/elsewhere", good, now + 60, "service")),
        (400, "nonsense"),
        (200, hub_module.token(f"sb://{host}/{hub_name}", good, now + 60, "service")),
    ]
    sender, receiver = connection.create_sender("$cbs"), connection.create_receiver("$cbs", 10)
    for number, (status, token) in enumerate(tokens):
        properties = {"operation": "put-token", "type": "servicebus.windows.net:sastoken", "name": f"sb://{host}"}
        sender.send(Message(id=proton.ulong(number), body=token, properties=properties, reply_to="$cbs"))
        reply = take_reply(receiver)
        equal((reply.properties["status-code"], type(reply.properties["status-code"])), (status, proton.int32), token)
        equal(reply.correlation_id, number)
        assert isinstance(reply.properties["status-description"], str), reply
    reader = connection.create_receiver(here, options=[from_event(logged)])
    equal(data(take_own(reader, device)), b"x")


@case("neutral/management", (PROTON_EVENTS,))
def management(c):
    connection = back_end(c)
    sender, receiver = connection.create_sender("$management"), connection.create_receiver("$management", 10)

    def ask(kind, operation="READ", name=c.hub.event_hub_name, **more):
        properties = {"operation": operation, "type": kind, "name": name, **more}
        sender.send(Message(id="1", reply_to="$management", properties=properties))
        reply = take_reply(receiver)
        return reply.properties["status-code"], reply

    status, reply = ask("com.microsoft:eventhub")
    equal((status, reply.correlation_id), (200, "1"))
    types = {name: type(value).__name__ for name, value in reply.body.items()}
    expected = {"name": "str", "type": "str", "created_at": "timestamp", "partition_count": "int32"}
    equal({name: types[name] for name in expected}, expected)
    equal(list(reply.body["partition_ids"].elements), ["0", "1", "2", "3"])
    status, reply = ask("com.microsoft:partition", partition="0")
    types = {name: type(value).__name__ for name, value in reply.body.items()}
    expected = {
        "name": "str",
        "type": "str",
        "partition": "str",
        "begin_sequence_number": "int",
        "last_enqueued_sequence_number": "int",
        "last_enqueued_offset": "str",
        "last_enqueued_time_utc": "timestamp",
        "is_partition_empty": "bool",
    }
    equal((status, types), (200, expected))
    for more in ({"name": "elsewhere"}, {"kind": "com.microsoft:partition", "partition": "4"}):
        status, reply = ask(**{"kind": "com.microsoft:eventhub", **more})
        equal((status, str(reply.properties["error-condition"])), (404, "amqp:not-found"), f"{more}")
    for more in ({"kind": "nonsense"}, {"operation": "DELETE"}, {"kind": "com.microsoft:partition"}):
        status, _ = ask(**{"kind": "com.microsoft:eventhub", **more})
        assert 400 <= status < 500, f"{more}: {status}"


@case("neutral/cut-at-the-end-of-the-token", (PROTON_EVENTS,), is_slow=True)
def cut_at_the_end_of_the_token(c):
    device = c.device()
    logged = c.log(device, "in time")
    connection = back_end(c, token=c.hub.policy_token("service", ttl_s=2))
    receiver = connection.create_receiver(partition_address(c, logged.partition), options=[from_event(logged)])
    equal(data(take_own(receiver, device)), b"in time")
    error = refused(lambda: [receiver.receive() for _ in range(1000)], (LinkDetached, ConnectionClosed))
    equal(error.condition, "amqp:unauthorized-access")


@case("neutral/wrong-proof", (PROTON_EVENTS,))
def wrong_proof(c):
    forged = hub_module.token(c.hub.host_name, c.hub.policy_key("device"), int(time.time()) + 60, "service")
    for policy, token in [("service", forged), ("nobody", None), ("service", "nonsense")]:
        token = token or hub_module.token(c.hub.host_name, c.hub.policy_key("service"), int(time.time()) + 60, policy)
        refused(lambda: back_end(c, policy, token), ConnectionException, policy)
    # A token that is good for something else.
    errors = (ConnectionException, LinkDetached)
    refused(lambda: back_end(c, "registryRead").create_receiver(partition_address(c, 0)), errors)
    refused(lambda: back_end(c, "registryRead").create_sender("/messages/devicebound"), errors)


# Cloud to device.


def send(sender, device_id, body, to=None, **more):
    """The outcome and its condition."""
    address = to if to is not None else f"/devices/{device_id}/messages/devicebound"
    delivery = sender.send(Message(body=body, address=address or None, inferred=True, **more), error_states=[])
    condition = delivery.remote.condition
    return delivery.remote_state, condition and condition.name


@case("neutral/c2d", (PROTON_C2D,))
def c2d(c):
    device = c.device()
    _, inbox = listening(c, device)
    sender = back_end(c).create_sender("/messages/deviceBound")
    properties = {"iothub-ack": "full", "color": "blue"}
    found = send(sender, device.device_id, b"\x00\xff", id="m1", properties=properties, user_id=b"somebody")
    equal(found, (Delivery.ACCEPTED, None))
    message = inbox.take()
    equal((message.data, message.message_id, message.user_id), (b"\x00\xff", "m1", "somebody"))
    equal(message.custom_properties["color"], "blue")


@case("neutral/c2d-refused", (PROTON_C2D,))
def c2d_refused(c):
    device = c.device()
    module = c.module(device)
    sender = back_end(c).create_sender("/messages/devicebound")
    past = int(time.time()) - 3600
    for number in range(50):
        c.hub.send_c2d(device.device_id, str(number))
    other = c.device()
    modules = f"/devices/{device.device_id}/modules/{module.module_id}/messages/devicebound"
    for expected, found in [
        ("amqp:resource-limit-exceeded", send(sender, device.device_id, b"one too many")),
        ("amqp:not-found", send(sender, c.new_id("-unknown"), b"nobody is there")),
        ("amqp:invalid-field", send(sender, "", b"to whom?", to="")),
        ("amqp:not-allowed", send(sender, "", b"to a module", to=modules)),
        ("amqp:link:message-size-exceeded", send(sender, other.device_id, b"x" * (64 * 1024 + 1))),
        ("com.microsoft:argument-error", send(sender, other.device_id, b"x", properties={"iothub-ack": "perhaps"})),
    ]:
        equal(found, (Delivery.REJECTED, expected))
    equal(send(sender, other.device_id, b"late", expiry_time=past)[0], Delivery.REJECTED)
    equal(send(sender, other.device_id, b"good")[0], Delivery.ACCEPTED)
    equal(c.registry.get_device(other.device_id).cloud_to_device_message_count, 1)


@case("neutral/feedback", (PROTON_C2D,))
def feedback(c):
    """A batch that is given back comes again; one that is accepted does not."""
    device = c.device()
    _, inbox = listening(c, device)
    connection = back_end(c)
    with c.hub.feedback.read_elsewhere() as hand_out:
        c.hub.send_c2d(device.device_id, "x", messageid="m1", ack="full")
        inbox.take()
        receiver = connection.create_receiver("/messages/serviceBound/feedback")
        batches = [until_about(receiver, device, hand_out, Delivery.RELEASED)]
        batches.append(until_about(receiver, device, hand_out, Delivery.ACCEPTED))
        for message in batches:
            equal(str(message.content_type), "application/vnd.microsoft.iothub.feedback.json")
            equal(type(message.annotations[symbol("iothub-enqueuedtime")]).__name__, "timestamp")
        first, second = ([record["originalMessageId"] for record in json.loads(data(m))] for m in batches)
        assert "m1" in first and "m1" in second, (first, second)
        c.hub.send_c2d(device.device_id, "x", messageid="m2", ack="full")
        last = until_about(receiver, device, hand_out, Delivery.ACCEPTED)
        assert "m1" not in [record["originalMessageId"] for record in json.loads(data(last))], last


def until_about(receiver, device, hand_out, state):
    """Settles the first batch that tells of the device by this state, all others before it by accepting them."""
    while True:
        message = receiver.receive()
        records = json.loads(data(message))
        if any(record["deviceId"] == device.device_id for record in records):
            receiver.settle(state)
            if state == Delivery.ACCEPTED:
                hand_out(records)
            return message
        receiver.accept()
        hand_out(records)


@case("neutral/file-notifications", (PROTON_C2D,))
def file_notifications(c):
    """There are none; a back end that waits for them is let in."""
    connection = back_end(c)
    connection.create_receiver("/messages/serviceBound/filenotifications", 1)
    stranger = "/messages/serviceBound/filenotifications"
    refused(lambda: back_end(c, "registryRead").create_receiver(stranger), (ConnectionException, LinkDetached))
    connection.create_receiver("/messages/servicebound/FileNotifications", 1)


# Devices.


@case("neutral/device-telemetry", (PROTON_DEVICE,))
def device_telemetry(c):
    device = c.device()
    sender = device_end(c, device).create_sender(f"/devices/{device.device_id}/messages/events")
    message = Message(body=b"\x00\xff", id="m1", content_type=symbol("a/b"), properties={"n": "v"}, inferred=True)
    equal(sender.send(message).remote_state, Delivery.ACCEPTED)
    event = c.events(device).take()
    equal((event.body, event.properties, event.system["message-id"]), (b"\x00\xff", {"n": "v"}, "m1"))
    # Sent settled, nobody hears of it; in order all the same.
    fast = device_end(c, device).create_sender(f"/devices/{device.device_id}/messages/events", options=AtMostOnce())
    for number in range(20):
        fast.send(Message(body=str(number).encode(), inferred=True))
    fast.close()
    equal([event.body for event in c.events(device).take_many(20)], [str(number).encode() for number in range(20)])


@case("neutral/device-c2d", (PROTON_DEVICE,))
def device_c2d(c):
    device = c.device()
    connection = device_end(c, device)
    receiver = connection.create_receiver(f"/devices/{device.device_id}/messages/devicebound", 1)
    c.hub.send_c2d(device.device_id, "x", messageid="m1", ack="full", app={"color": "blue"})
    counts = []
    for state in (Delivery.RELEASED, Delivery.MODIFIED, Delivery.REJECTED):
        message = receiver.receive()
        equal((message.id, message.properties["color"], message.properties["iothub-ack"]), ("m1", "blue", "full"))
        equal(message.address, f"/devices/{device.device_id}/messages/devicebound")
        counts.append(int(message.annotations[symbol("iothub-deliverycount")]))
        receiver.settle(state)
    # With it goes what is not yet written.
    connection.close()
    equal(counts, sorted(set(counts)), "delivery counts")
    equal(c.feedback(device).take()["statusCode"], "Rejected")


@case("neutral/device-goes-away", (PROTON_DEVICE,))
def device_goes_away(c):
    """What it had not settled comes again, as long as it has been tried less than ten times."""
    device = c.device()
    address = f"/devices/{device.device_id}/messages/devicebound"
    c.hub.send_c2d(device.device_id, "x", messageid="m1", ack="full")
    for _ in range(10):
        connection = device_end(c, device)
        equal(connection.create_receiver(address, 1).receive().id, "m1")
        connection.close()
    # It is given up at the next attempt.
    device_end(c, device).create_receiver(address, 1)
    equal(c.feedback(device).take()["statusCode"], "DeliveryCountExceeded")


@case("neutral/device-refused", (PROTON_DEVICE,))
def device_refused(c):
    device, other = c.device(), c.device()
    connection = device_end(c, device)
    strange = f"/devices/{other.device_id}/messages/events"
    links_refused(connection, "amqp:unauthorized-access", strange, is_sender=True)
    links_refused(connection, "amqp:unauthorized-access", "/messages/devicebound", is_sender=True)
    links_refused(connection, "amqp:not-found", f"/devices/{device.device_id}/messages/elsewhere", is_sender=True)
    own = f"/devices/{device.device_id}/messages/events"
    sender = connection.create_sender(own)
    delivery = sender.send(Message(body=b"x" * (256 * 1024 + 1), inferred=True), error_states=[])
    found = (delivery.remote_state, delivery.remote.condition.name)
    equal(found, (Delivery.REJECTED, "amqp:link:message-size-exceeded"))
    equal(sender.send(Message(body=b"good", inferred=True)).remote_state, Delivery.ACCEPTED)
    equal(c.events(device).take().body, b"good")
    refused(lambda: device_end(c, device, c.token(other, 60)), ConnectionException)
