"""Readers of the built-in endpoint: azure-eventhub."""

import asyncio
import datetime
import itertools
import json

from azure.eventhub import EventData, EventHubProducerClient
from azure.eventhub.aio import EventHubConsumerClient as AsyncConsumerClient
from azure.eventhub.exceptions import EventHubError
from azure.iot.device import Message
from azure.iot.hub.models import Twin

from framework import EVENTHUB, EVENTHUB_PLAIN, EVENTHUB_WS, EVENTHUBS, case, equal, refused
from hub import WAIT_S
from readers import after, annotation, at, connection_string, consumer_client, options, read, text

PARTITIONS = ["0", "1", "2", "3"]

LARGEST_BYTES = 256 * 1024 - 1024

# What every telemetry event of a device carries, with its type.
ANNOTATIONS = {
    "x-opt-sequence-number": int,
    "x-opt-offset": str,
    "x-opt-enqueued-time": int,
    "iothub-enqueuedtime": int,
    "iothub-connection-device-id": str,
    "iothub-connection-auth-method": str,
    "iothub-connection-auth-generation-id": str,
    "iothub-message-source": str,
}


@case("eventhub/all-partitions", EVENTHUBS, is_slow=True)
def all_partitions(c):
    """From the first event that the hub ever took, in all partitions at once."""
    devices = {}
    while len(devices) < len(PARTITIONS):
        device = c.device()
        devices.setdefault(c.log(device, "0").partition, device)
    last = {}
    for device in devices.values():
        for number in range(1, 10):
            logged = c.log(device, str(number))
        last[str(logged.partition)] = logged.sequence_number
    client = consumer_client(c, c.group)
    equal(client.get_partition_ids(), PARTITIONS)
    reading = read(c, None, client=client)
    bodies = {str(partition): [] for partition in devices}
    while any(len(found) < 10 for found in bodies.values()):
        event = reading.events.take()
        for partition, device in devices.items():
            if annotation(event, "iothub-connection-device-id") == device.device_id:
                bodies[str(partition)].append(text(event))
    for partition in PARTITIONS:
        numbers = reading.sequence_numbers(partition)
        equal(numbers[: last[partition] + 1], list(range(last[partition] + 1)), f"partition {partition}")
        equal(bodies[partition], [str(number) for number in range(10)], f"partition {partition}")


@case("eventhub/positions", EVENTHUBS)
def positions(c):
    device = c.device()
    first = c.log(device, "0")
    reading = read(c, device, **at(first))
    events = [reading.events.take()]
    # In a hurry, several are enqueued within a millisecond.
    while len(events) < 4 or events[-1].enqueued_time <= events[1].enqueued_time:
        c.log(device, str(len(events)))
        events.append(reading.events.take())
    reading.close()
    second = events[1]
    later = [event for event in events if event.enqueued_time > second.enqueued_time]
    same = [event for event in events if event.enqueued_time >= second.enqueued_time]
    wanted = [
        (second.sequence_number, False, events[2]),
        (second.sequence_number, True, events[1]),
        (second.offset, False, events[2]),
        (second.offset, True, events[1]),
        (second.enqueued_time, False, later[0]),
        (second.enqueued_time, True, same[0]),
        (second.enqueued_time - datetime.timedelta(milliseconds=1), False, same[0]),
    ]
    # Not more than five read one partition in one group.
    groups = itertools.cycle([c.group, c.another_group()])
    readings = [
        read(
            c,
            device,
            next(groups),
            partition_id=str(first.partition),
            starting_position=position,
            starting_position_inclusive=inclusive,
        )
        for position, inclusive, _ in wanted
    ]
    for reading, (position, inclusive, expected) in zip(readings, wanted, strict=True):
        found = reading.events.take()
        equal(found.sequence_number, expected.sequence_number, f"after {position!r}, inclusive {inclusive}")


@case("eventhub/latest", EVENTHUBS)
def latest(c):
    device = c.device()
    before = c.log(device, "before")
    reading = read(c, device, partition_id=str(before.partition), starting_position="@latest")
    # From some event on it hears all; from which, is a matter of when its link came up.
    sent = [c.log(device, "0")]
    while reading.events.empty():
        sent.append(c.log(device, str(len(sent))))
    sent.append(c.log(device, str(len(sent))))
    first = reading.events.take()
    expected = [event.sequence_number for event in sent if event.sequence_number > first.sequence_number]
    assert first.sequence_number >= sent[0].sequence_number, first
    equal([event.sequence_number for event in reading.events.take_many(len(expected))], expected)


@case("eventhub/what-an-event-carries", EVENTHUBS)
def what_an_event_carries(c):
    device = c.device()
    client = c.connect(device)
    message = Message(json.dumps({"windSpeed": 12.5}))
    message.message_id, message.correlation_id, message.user_id = "id 1", "correlation 1", "somebody"
    message.content_type, message.content_encoding = "application/json", "utf-8"
    message.custom_properties["storm"] = "false ☂"
    client.send_message(message)
    logged = c.events(device).take()
    event = read(c, device, **at(logged)).events.take()
    equal((event.body_as_json(), event.properties), ({"windSpeed": 12.5}, {b"storm": "false ☂".encode()}))
    found = (event.message_id, event.correlation_id, event.content_type)
    equal(found, ("id 1", "correlation 1", "application/json"))
    raw = event.raw_amqp_message.properties
    equal((raw.content_encoding, raw.user_id), (b"utf-8", b"somebody"))
    types = {name.decode(): type(annotation(event, name.decode())) for name in event.raw_amqp_message.annotations}
    equal(types, ANNOTATIONS)
    equal((event.sequence_number, event.offset), (logged.sequence_number, str(logged.sequence_number)))
    equal(annotation(event, "iothub-connection-device-id"), device.device_id)
    equal(annotation(event, "iothub-message-source"), "Telemetry")
    generation_id = c.registry.get_device(device.device_id).generation_id
    equal(annotation(event, "iothub-connection-auth-generation-id"), generation_id)
    method = json.loads(annotation(event, "iothub-connection-auth-method"))
    expected = {"scope": "device", "type": "sas", "issuer": "iothub", "acceptingIpFilterRule": None}
    equal(method, expected)
    age = datetime.datetime.now(datetime.UTC) - event.enqueued_time
    assert datetime.timedelta() <= age < datetime.timedelta(minutes=1), age


@case("eventhub/modules", EVENTHUBS)
def modules(c):
    device = c.device()
    module = c.module(device)
    c.connect(module).send_message("from the module")
    logged = c.events(device).take()
    event = read(c, device, batch_max=None, **at(logged)).events.take()
    found = (text(event), annotation(event, "iothub-connection-module-id"))
    equal(found, ("from the module", module.module_id))


@case("eventhub/sources", EVENTHUBS)
def sources(c):
    device = c.device()
    created = c.events(device, "deviceLifecycleEvents").take()
    c.registry.update_twin(device.device_id, Twin(tags={"floor": 3}), None)
    c.hub.send_d2c(device.device_id, "telemetry")
    reading = read(c, device, source=None, **at(created))
    found = {}
    while len(found) < 3:
        event = reading.events.take()
        found[annotation(event, "iothub-message-source")] = event
    equal(text(found["Telemetry"]), "telemetry")
    properties = found["deviceLifecycleEvents"].properties
    equal((properties[b"opType"], properties[b"deviceId"]), (b"createDeviceIdentity", device.device_id.encode()))
    change = found["twinChangeEvents"]
    equal((change.properties[b"opType"], change.body_as_json()["tags"]), (b"updateTwin", {"floor": 3}))
    equal(change.properties[b"iothub-message-schema"], b"twinChangeNotification")


@case("eventhub/bodies", EVENTHUBS)
def bodies(c):
    device = c.device()
    sent = [b"", b"\x00\xff\xfe", "ümläut ☂".encode(), b"x" * LARGEST_BYTES, b"after the large one"]
    logged = [c.log(device, body) for body in sent]
    events = read(c, device, **at(logged[0])).events.take_many(len(sent))
    equal([b"".join(event.body) == body for event, body in zip(events, sent)], [True] * len(sent))


@case("eventhub/more-than-its-credit", EVENTHUBS)
def more_than_its_credit(c):
    device = c.device()
    first = c.log(device, "0")
    for start in range(1, 701, 100):
        c.hub.send_d2c_batch(device.device_id, [str(number).encode() for number in range(start, start + 100)])
    reading = read(c, device, prefetch=50, **at(first))
    equal([text(event) for event in reading.events.take_many(701)], [str(number) for number in range(701)])
    numbers = reading.sequence_numbers(first.partition)
    equal(numbers, list(range(numbers[0], numbers[0] + len(numbers))))


@case("eventhub/batches", EVENTHUBS)
def batches(c):
    device = c.device()
    first = c.log(device, "0")
    c.hub.send_d2c_batch(device.device_id, [str(number).encode() for number in range(1, 100)])
    reading = read(c, device, batch_max=7, max_wait_time=1, **at(first))
    equal([text(event) for event in reading.events.take_many(100)], [str(number) for number in range(100)])
    sizes = [reading.batches.get() for _ in range(reading.batches.qsize())]
    equal(max(sizes), 7, "largest batch")


@case("eventhub/groups", EVENTHUBS)
def groups(c):
    """Each group reads all, whoever else does; letter case is not part of its name."""
    device = c.device()
    logged = c.log(device, "for all")
    for group in (c.group, "$Default", "$default", c.another_group().upper()):
        reading = read(c, device, group, **at(logged))
        equal(text(reading.events.take()), "for all", group)
        reading.close()


@case("eventhub/unknown-group", EVENTHUBS)
def unknown_group(c):
    device = c.device()
    reading = read(c, device, "no.such.group", partition_id="0")
    error = reading.errors.take()
    assert isinstance(error, EventHubError), repr(error)
    reading.events.require_empty()


@case("eventhub/properties", EVENTHUBS)
def properties(c):
    device = c.device()
    client = consumer_client(c, c.group)
    hub = client.get_eventhub_properties()
    equal((hub["eventhub_name"], hub["partition_ids"]), (c.hub.event_hub_name, PARTITIONS))
    assert hub["created_at"] <= datetime.datetime.now(datetime.UTC), hub
    logged = c.log(device, "x")
    event = read(c, device, client=client, **at(logged)).events.take()
    found = consumer_client(c, c.group).get_partition_properties(str(logged.partition))
    equal((found["eventhub_name"], found["id"]), (c.hub.event_hub_name, str(logged.partition)))
    equal((found["beginning_sequence_number"], found["is_empty"]), (0, False))
    last = found["last_enqueued_sequence_number"]
    assert last >= logged.sequence_number, found
    equal(found["last_enqueued_offset"], str(last))
    assert found["last_enqueued_time_utc"] >= event.enqueued_time, found


@case("eventhub/properties-refused", EVENTHUBS)
def properties_refused(c):
    client = consumer_client(c, "$Default")
    refused(lambda: client.get_partition_properties("4"), EventHubError)
    refused(lambda: client.get_partition_properties("first"), EventHubError)
    text = connection_string(c).replace(f"EntityPath={c.hub.event_hub_name}", "EntityPath=elsewhere")
    elsewhere = type(client).from_connection_string(text, "$Default", retry_total=0, **options(c))
    c.at_end(elsewhere.close)
    refused(elsewhere.get_eventhub_properties, EventHubError)
    # The client is as good as before.
    equal(client.get_partition_ids(), PARTITIONS)


@case("eventhub/rights", EVENTHUBS)
def rights(c):
    device = c.device()
    logged = c.log(device, "secret")
    wrong = c.hub.policy_key("device")
    strangers = [("device", None), ("service", wrong), ("registryReadWrite", None), ("nobody", wrong)]
    # Over a WebSocket this SDK takes its time.
    for policy, key in strangers[:2] if c.column == EVENTHUB_WS else strangers:
        client = consumer_client(c, c.group, policy, key)
        refused(client.get_partition_ids, EventHubError, policy)
        reading = read(c, device, client=client, **at(logged))
        assert isinstance(reading.errors.take(), EventHubError), policy
        reading.events.require_empty()
    for policy in ("service", "iothubowner"):
        reading = read(c, device, client=consumer_client(c, c.group, policy), **at(logged))
        equal(text(reading.events.take()), "secret", policy)


@case("eventhub/cut-when-its-policy-goes", EVENTHUBS)
def cut_when_its_policy_goes(c):
    device = c.device()
    name = f"reader-{c.column}"
    policy = {"name": name, "primaryKey": c.hub.policy_key("device"), "secondaryKey": c.hub.policy_key("service")}
    policy["permissions"] = ["ServiceConnect"]
    c.hub.change_settings(lambda settings: settings["policies"].append(policy))
    logged = c.log(device, "before")
    client = consumer_client(c, c.group, name, policy["primaryKey"])
    reading = read(c, device, client=client, **at(logged))
    equal(text(reading.events.take()), "before")
    c.hub.change_settings(lambda settings: settings["policies"].remove(policy_of(settings, name)))
    c.log(device, "too late")
    assert isinstance(reading.errors.take(), EventHubError)
    reading.events.require_empty()


def policy_of(settings, name):
    return next(policy for policy in settings["policies"] if policy["name"] == name)


@case("eventhub/sending-is-refused", EVENTHUBS)
def sending_is_refused(c):
    producer = EventHubProducerClient.from_connection_string(connection_string(c), retry_total=0, **options(c))
    c.at_end(producer.close)
    refused(lambda: producer.send_event(EventData("x"), timeout=5), EventHubError)


@case("eventhub/owner-level-displaces", EVENTHUBS)
def owner_level_displaces(c):
    device, group = c.device(), c.group
    logged = c.log(device, "0")
    reading = read(c, device, group, **at(logged))
    for level, number in [(1, 1), (1, 2), (5, 3)]:
        old = reading
        equal(text(old.events.take()), str(number - 1))
        reading = read(c, device, group, owner_level=level, **after(logged))
        error = old.errors.take()
        assert "New receiver" in str(error) and f"higher epoch of '{level}'" in str(error), str(error)
        logged = c.log(device, str(number))
        old.events.require_empty()
        # Left alone, it would come back in its turn.
        old.close()
    equal(text(reading.events.take()), "3")


@case("eventhub/owner-level-refused", EVENTHUBS)
def owner_level_refused(c):
    device, group = c.device(), c.group
    logged = c.log(device, "0")
    owner = read(c, device, group, owner_level=3, **at(logged))
    equal(text(owner.events.take()), "0")
    lower = read(c, device, group, owner_level=2, **at(logged))
    assert isinstance(lower.errors.take(), EventHubError)
    without = read(c, device, group, **at(logged))
    error = without.errors.take()
    assert "non-epoch receiver is not allowed" in str(error), str(error)
    # Another group has other owners; the owner goes on.
    equal(text(read(c, device, c.another_group(), **at(logged)).events.take()), "0")
    c.log(device, "1")
    equal(text(owner.events.take()), "1")
    lower.events.require_empty()
    without.events.require_empty()


@case("eventhub/last-enqueued", EVENTHUBS)
def last_enqueued(c):
    device = c.device()
    first, last = c.log(device, "first"), c.log(device, "last")
    reading = read(c, device, track_last_enqueued_event_properties=True, **at(first))
    found = reading.events.take().last_enqueued
    assert found["sequence_number"] >= last.sequence_number, found
    equal(found["offset"], str(found["sequence_number"]))
    assert found["enqueued_time"] <= found["retrieval_time"], found
    silent = read(c, device, **at(first)).events.take()
    equal(silent.raw_amqp_message.delivery_annotations or None, None, "nobody asked")


@case("eventhub/asynchronous", (EVENTHUB, EVENTHUB_PLAIN))
def asynchronous(c):
    device = c.device()
    logged = c.log(device, "for the loop")
    found = []

    async def receive():
        client = AsyncConsumerClient.from_connection_string(
            connection_string(c), c.group, retry_total=0, **options(c)
        )

        has_come = asyncio.Event()

        async def on_events(_, events):
            own = [event for event in events if annotation(event, "iothub-connection-device-id") == device.device_id]
            found.extend(text(event) for event in own)
            if own:
                has_come.set()

        async with client:
            equal(await client.get_partition_ids(), PARTITIONS)
            receiving = asyncio.create_task(client.receive_batch(on_events, **at(logged)))
            await asyncio.wait_for(has_come.wait(), WAIT_S)
        await receiving

    asyncio.run(receive())
    equal(found, ["for the loop"])


def goes_on(c):
    """What was read is not read again, and nothing is missing."""
    device = c.device()
    before = c.log(device, "before")
    c.log(device, "0")
    client = consumer_client(c, c.group, load_balancing_interval=0.5)
    # Where it begins anew, the SDK takes a position as it was meant at first: with the event itself, or without.
    reading = read(c, device, client=client, is_checkpointed=True, **after(before))
    c.log(device, "1")
    equal([text(event) for event in reading.events.take_many(2)], ["0", "1"])
    c.restart()
    c.log(device, "2")
    c.log(device, "3")
    equal([text(event) for event in reading.events.take_many(2)], ["2", "3"])
    numbers = reading.sequence_numbers(before.partition)
    equal(numbers, list(range(before.sequence_number + 1, numbers[-1] + 1)))


@case("eventhub/goes-on-after-a-restart", EVENTHUBS, restart="drain")
def goes_on_after_a_restart(c):
    goes_on(c)


@case("eventhub/goes-on-after-a-kill", EVENTHUBS, restart="kill")
def goes_on_after_a_kill(c):
    goes_on(c)
