"""What holds when the hub is ended and started again on the same data."""

from azure.iot.device import MethodResponse
from azure.iot.device.exceptions import CredentialError

from cases.methods import call
from cases.twin import reported, set_desired
from framework import case, equal, refused, refused_http
from hub import Inbox


@case("restart/subscriptions", restart="drain")
def subscriptions(c):
    subscriptions_survive(c)


@case("restart/subscriptions-after-a-kill", restart="kill")
def subscriptions_after_a_kill(c):
    subscriptions_survive(c)


def subscriptions_survive(c):
    """The SDK subscribes once in its life: all that comes later comes by the stored subscriptions."""
    device = c.device()
    client = c.connect(device)
    messages, patches = Inbox("C2D message"), Inbox("desired patch")
    client.on_message_received = messages.put
    client.on_twin_desired_properties_patch_received = patches.put
    client.on_method_request_received = lambda request: client.send_method_response(
        MethodResponse.create_from_method_request(request, 200, request.payload)
    )
    c.restart()
    equal(call(c, device, "echo", "again", connect_timeout_in_seconds=20).payload, "again")
    c.hub.send_c2d(device.device_id, "again")
    equal(messages.take().data, b"again")
    set_desired(c, device, {"again": True})
    # First what the SDK asks for when it is back.
    while (patch := patches.take())["$version"] < 2:
        pass
    equal(patch, {"again": True, "$version": 2})


@case("restart/what-was-not-subscribed", restart="drain")
def what_was_not_subscribed(c):
    device = c.device()
    client = c.connect(device)
    client.on_method_request_received = lambda request: None
    client.on_method_request_received = None
    c.restart()
    client.connect()
    refused_http(lambda: call(c, device, "echo"), 404, "DeviceNotOnline")


@case("restart/all-that-was-acknowledged", restart="kill")
def all_that_was_acknowledged(c):
    device, deleted = c.device(), c.device()
    client = c.connect(device)
    bodies = [f"before {number}".encode() for number in range(10)]
    for body in bodies:
        client.send_message(body.decode())
    client.patch_twin_reported_properties({"written": "before"})
    set_desired(c, device, {"wanted": "before"})
    client.disconnect()
    c.hub.send_c2d(device.device_id, "before", messageid="m1")
    c.registry.delete_device(deleted.device_id)
    c.restart()
    client.connect()
    messages = Inbox("C2D message")
    client.on_message_received = messages.put
    equal(messages.take().message_id, "m1")
    equal(reported(c, device), {"written": "before", "$version": 2})
    equal(client.get_twin()["desired"], {"wanted": "before", "$version": 2})
    client.send_message("after")
    events = c.events(device).take_many(11)
    equal([event.body for event in events], [*bodies, b"after"])
    equal(events[-1].sequence_number > events[-2].sequence_number, True, "order")
    refused(c.client(deleted).connect, CredentialError)


@case("restart/sends-while-the-hub-is-away", restart="drain")
def sends_while_the_hub_is_away(c):
    device = c.device()
    client = c.connect(device)
    client.send_message("before")
    c.restart()
    # The SDK connects for it when it has not done so yet.
    client.send_message("after")
    equal([event.body for event in c.events(device).take_many(2)], [b"before", b"after"])
