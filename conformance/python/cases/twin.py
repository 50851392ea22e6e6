"""Twins, as device and module see them."""

from azure.iot.hub.models import Twin, TwinProperties

from framework import case, equal, refused, refused_http, refused_twin
from hub import Inbox


def set_desired(c, identity, desired, etag=None):
    twin = Twin(properties=TwinProperties(desired=desired))
    if identity.module_id:
        return c.registry.update_module_twin(identity.device_id, identity.module_id, twin, etag)
    return c.registry.update_twin(identity.device_id, twin, etag)


def service_twin(c, identity):
    if identity.module_id:
        return c.registry.get_module_twin(identity.device_id, identity.module_id)
    return c.registry.get_twin(identity.device_id)


def reported(c, identity):
    """Without metadata."""
    found = service_twin(c, identity).properties.reported
    return {name: value for name, value in found.items() if name != "$metadata"}


def nested(depth):
    """An object whose innermost level is `depth` levels below the first."""
    value = 1
    for level in range(depth, 0, -1):
        value = {f"level{level}": value}
    return value


@case("twin/get")
def get(c):
    device = c.device()
    client = c.connect(device)
    equal(client.get_twin(), {"desired": {"$version": 1}, "reported": {"$version": 1}}, "a fresh twin")
    c.registry.update_twin(device.device_id, Twin(tags={"floor": 3}), None)
    set_desired(c, device, {"interval": 5, "nested": {"list": [1, "two", {"three": 3.5}]}})
    client.patch_twin_reported_properties({"state": "on"})
    expected = {
        "desired": {"interval": 5, "nested": {"list": [1, "two", {"three": 3.5}]}, "$version": 2},
        "reported": {"state": "on", "$version": 2},
    }
    equal(client.get_twin(), expected)


@case("twin/get-without-a-right")
def get_without_a_right(c):
    device = c.device()
    client = c.client(device, connection_retry=False)
    client.get_twin()
    states = c.connection_states(client)
    c.registry.delete_device(device.device_id)
    # The SDK waits for ever when it asks over a connection that has ended and that it believes in.
    equal(states.take(), False)
    refused(client.get_twin, Exception)


@case("twin/reported-merges")
def reported_merges(c):
    device = c.device()
    client = c.connect(device)
    client.patch_twin_reported_properties({"a": 1, "nested": {"x": "y", "z": True}, "list": [1, 2]})
    client.patch_twin_reported_properties({"a": None, "nested": {"x": None, "w": 1.5}, "list": [3]})
    equal(reported(c, device), {"nested": {"z": True, "w": 1.5}, "list": [3], "$version": 3})
    client.patch_twin_reported_properties({"absent": None, "new": {"inner": None}})
    equal(reported(c, device), {"nested": {"z": True, "w": 1.5}, "list": [3], "new": {}, "$version": 4})


@case("twin/reported-values")
def reported_values(c):
    device = c.device()
    client = c.connect(device)
    values = {
        "integers": [4503599627370495, -4503599627370496, 0],
        "floats": [1.5, -0.25, 1e-3],
        "text": 'ümläut ☂ " \\ \n',
        "date": "2024-01-01T00:00:00.1234567+00:00",
        "long": "x" * 4096,
        "nothing": {},
        "flags": [True, False],
    }
    client.patch_twin_reported_properties(values)
    equal(reported(c, device), {**values, "$version": 2})
    equal(client.get_twin()["reported"], {**values, "$version": 2})


@case("twin/reported-too-deep")
def reported_too_deep(c):
    device = c.device()
    client = c.connect(device)
    client.patch_twin_reported_properties(nested(10))
    refused_twin(lambda: client.patch_twin_reported_properties({"good": 1, **nested(12)}))
    equal(reported(c, device), {**nested(10), "$version": 2}, "nothing of it is applied")


@case("twin/reported-too-large")
def reported_too_large(c):
    device = c.device()
    client = c.connect(device)
    for number in range(7):
        client.patch_twin_reported_properties({f"part{number}": "x" * 4096})
    refused_twin(lambda: client.patch_twin_reported_properties({"part7": "x" * 4096}))
    refused_twin(lambda: client.patch_twin_reported_properties({"long": "x" * 4097}))
    equal(reported(c, device)["$version"], 8, "version")


@case("twin/reported-bad-names")
def reported_bad_names(c):
    device = c.device()
    client = c.connect(device)
    for name in ("with.dot", "$own", "with blank", "con\u0001trol"):
        refused_twin(lambda name=name: client.patch_twin_reported_properties({name: 1}), repr(name))
    equal(reported(c, device), {"$version": 1})


@case("twin/desired-once-and-in-order")
def desired_once_and_in_order(c):
    device = c.device()
    client = c.connect(device)
    inbox = Inbox("desired patch")
    client.on_twin_desired_properties_patch_received = inbox.put
    for number in range(20):
        set_desired(c, device, {"number": number, "previous": None})
    expected = [{"number": number, "previous": None, "$version": number + 2} for number in range(20)]
    equal(inbox.take_many(20), expected)
    c.registry.update_twin(device.device_id, Twin(tags={"unseen": True}), None)
    set_desired(c, device, {"last": True})
    equal(inbox.take(), {"last": True, "$version": 22}, "tags are not the device's")


@case("twin/desired-replaced")
def desired_replaced(c):
    device = c.device()
    client = c.connect(device)
    set_desired(c, device, {"kept": 1, "gone": 2})
    inbox = Inbox("desired patch")
    client.on_twin_desired_properties_patch_received = inbox.put
    replacement = Twin(properties=TwinProperties(desired={"kept": 1, "new": 3}))
    c.registry.replace_twin(device.device_id, replacement)
    equal(inbox.take(), {"kept": 1, "new": 3, "gone": None, "$version": 3})
    equal(client.get_twin()["desired"], {"kept": 1, "new": 3, "$version": 3})


@case("twin/desired-while-offline")
def desired_while_offline(c):
    device = c.device()
    client = c.connect(device)
    inbox = Inbox("desired patch")
    client.on_twin_desired_properties_patch_received = inbox.put
    set_desired(c, device, {"step": 1})
    equal(inbox.take(), {"step": 1, "$version": 2})
    client.disconnect()
    set_desired(c, device, {"step": 2})
    set_desired(c, device, {"other": 1})
    client.connect()
    equal(client.get_twin()["desired"], {"step": 2, "other": 1, "$version": 4})
    set_desired(c, device, {"step": 3})
    last = inbox.take()
    # On its own the SDK asks for the twin when it is back; then it hands out what it missed as one patch.
    if last["$version"] == 4:
        equal(last, {"step": 2, "other": 1, "$version": 4})
        last = inbox.take()
    equal(last, {"step": 3, "$version": 5})


@case("twin/desired-refused")
def desired_refused(c):
    device = c.device()
    client = c.connect(device)
    inbox = Inbox("desired patch")
    client.on_twin_desired_properties_patch_received = inbox.put
    refused_http(lambda: set_desired(c, device, nested(12)), 400, "ArgumentInvalid")
    refused_http(lambda: set_desired(c, device, {"a": 1}, etag="AAAAAAAAAP8="), 412, "PreconditionFailed")
    set_desired(c, device, {"good": 1})
    equal(inbox.take(), {"good": 1, "$version": 2}, "what the device hears")


@case("twin/module")
def module(c):
    device = c.device()
    module = c.module(device)
    client = c.connect(module)
    inbox = Inbox("desired patch")
    client.on_twin_desired_properties_patch_received = inbox.put
    set_desired(c, device, {"for": "the device"})
    set_desired(c, module, {"for": "the module"})
    equal(inbox.take(), {"for": "the module", "$version": 2})
    client.patch_twin_reported_properties({"by": "the module"})
    equal(reported(c, module), {"by": "the module", "$version": 2})
    equal(reported(c, device), {"$version": 1}, "of the device")
    expected = {"desired": {"for": "the module", "$version": 2}, "reported": {"by": "the module", "$version": 2}}
    equal(client.get_twin(), expected)


@case("twin/module-reported-too-deep")
def module_reported_too_deep(c):
    module = c.module(c.device())
    client = c.connect(module)
    refused_twin(lambda: client.patch_twin_reported_properties(nested(12)))
    equal(reported(c, module), {"$version": 1})
