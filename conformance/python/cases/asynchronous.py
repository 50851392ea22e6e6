"""The same features through `azure.iot.device.aio`."""

import asyncio

from azure.iot.device import MethodResponse
from azure.iot.device.exceptions import ClientError, CredentialError, ServiceError

from cases.methods import call
from cases.twin import nested, reported, set_desired
from framework import MQTT, MQTT_WS, X509_MQTT, case, equal
from hub import WAIT_S, Inbox

COLUMNS = (MQTT, MQTT_WS, X509_MQTT)


def with_client(run):
    """Runs `run(c, device, client)` in a loop of its own, with a connected client."""

    def case_function(c):
        device = c.device()

        async def main():
            client = c.client(device, asynchronous=True)
            await client.connect()
            try:
                await asyncio.wait_for(run(c, device, client), 2 * WAIT_S)
            finally:
                await client.shutdown()

        asyncio.run(main())

    return case_function


async def in_thread(function, *arguments, **options):
    return await asyncio.wait_for(asyncio.to_thread(function, *arguments, **options), WAIT_S)


@case("async/telemetry", COLUMNS)
@with_client
async def telemetry(c, device, client):
    bodies = {f"message {number}".encode() for number in range(20)}
    await asyncio.gather(*(client.send_message(body.decode()) for body in bodies))
    events = await in_thread(c.events(device).take_many, len(bodies))
    equal({event.body for event in events}, bodies)


@case("async/c2d", COLUMNS)
@with_client
async def c2d(c, device, client):
    inbox = Inbox("C2D message")
    client.on_message_received = inbox.put
    await in_thread(c.hub.send_c2d, device.device_id, "hello", messageid="m1")
    message = await in_thread(inbox.take)
    equal((message.data, message.message_id), (b"hello", "m1"))


@case("async/methods", COLUMNS)
@with_client
async def methods(c, device, client):
    async def handle(request):
        status = 200 if request.name == "echo" else 404
        await client.send_method_response(MethodResponse.create_from_method_request(request, status, request.payload))

    client.on_method_request_received = handle
    # The SDK subscribes in the background when a handler is set: the first call waits for it.
    result = await in_thread(call, c, device, "echo", {"a": 1}, connect_timeout_in_seconds=10)
    equal((result.status, result.payload), (200, {"a": 1}))
    equal((await in_thread(call, c, device, "unknown")).status, 404)


@case("async/twin", COLUMNS)
@with_client
async def twin(c, device, client):
    patches = Inbox("desired patch")
    client.on_twin_desired_properties_patch_received = patches.put
    equal(await client.get_twin(), {"desired": {"$version": 1}, "reported": {"$version": 1}})
    await in_thread(set_desired, c, device, {"interval": 5})
    equal(await in_thread(patches.take), {"interval": 5, "$version": 2})
    await client.patch_twin_reported_properties({"interval": 5})
    equal(await in_thread(reported, c, device), {"interval": 5, "$version": 2})
    try:
        await client.patch_twin_reported_properties(nested(12))
    except ClientError as error:
        equal(type(error.__cause__), ServiceError, "cause")
        return
    raise AssertionError("a patch that is too deep was not refused")


@case("async/unknown-device", COLUMNS)
def unknown_device(c):
    async def main():
        client = c.client(c.unregistered(), asynchronous=True)
        try:
            await client.connect()
        except CredentialError:
            return
        finally:
            await client.shutdown()
        raise AssertionError("an unknown device was let in")

    asyncio.run(main())
