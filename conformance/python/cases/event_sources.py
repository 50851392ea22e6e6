"""Events that the hub itself tells: of twins, identities and connections."""

from azure.iot.hub.models import Twin, TwinProperties

from framework import SERVICE, case, equal, refused_http

COLUMNS = (SERVICE,)


@case("event-sources/twin-changes", COLUMNS)
def twin_changes(c):
    device = c.device()
    events = c.events(device, "twinChangeEvents")
    patch = Twin(tags={"floor": 3}, properties=TwinProperties(desired={"interval": 5, "gone": None}))
    c.registry.update_twin(device.device_id, patch, None)
    event = events.take()
    equal((event.properties["opType"], event.properties["deviceId"]), ("updateTwin", device.device_id))
    equal(event.properties["iothub-message-schema"], "twinChangeNotification")
    equal((event.system["content-type"], event.system["content-encoding"]), ("application/json", "utf-8"))
    equal((event.json["tags"], event.json["version"]), ({"floor": 3}, 3))
    found = event.json["properties"]["desired"]
    equal((found["interval"], found["gone"], found["$version"]), (5, None, 2))
    c.connect(device).patch_twin_reported_properties({"state": "on", "cleared": None})
    found = events.take().json["properties"]["reported"]
    equal((found["state"], found["cleared"], found["$version"]), ("on", None, 2))
    c.registry.replace_twin(device.device_id, Twin(properties=TwinProperties(desired={"new": 1})))
    event = events.take()
    equal((event.properties["opType"], event.json["properties"]["desired"]["new"]), ("replaceTwin", 1))


@case("event-sources/lifecycle", COLUMNS)
def lifecycle(c):
    device = c.device()
    events = c.events(device, "deviceLifecycleEvents")
    module = c.module(device)
    c.registry.delete_module(module.device_id, module.module_id)
    c.registry.delete_device(device.device_id)
    found = [(event.properties["opType"], event.properties.get("moduleId")) for event in events.take_many(4)]
    equal(
        [(operation[:6], module_id) for operation, module_id in found],
        [("create", None), ("create", module.module_id), ("delete", module.module_id), ("delete", None)],
    )
    equal(found[0][0], "createDeviceIdentity")
    equal(found[3][0], "deleteDeviceIdentity")


@case("event-sources/connections", COLUMNS)
def connections(c):
    device = c.device()
    events = c.events(device, "deviceConnectionStateEvents")
    client = c.connect(device)
    first = events.take()
    equal(first.properties["opType"], "deviceConnected")
    client.disconnect()
    second = events.take()
    equal(second.properties["opType"], "deviceDisconnected")
    assert int(second.json["sequenceNumber"], 16) > int(first.json["sequenceNumber"], 16)


@case("event-sources/none-of-what-was-refused", COLUMNS)
def none_of_what_was_refused(c):
    device = c.device()
    events = c.events(device, "twinChangeEvents")
    stale = Twin(tags={"stale": True})
    refused_http(lambda: c.registry.update_twin(device.device_id, stale, "AAAAAAAAAP8="), 412)
    c.registry.update_twin(device.device_id, Twin(tags={"good": True}), None)
    equal(events.take().json["tags"], {"good": True})
    refused_http(lambda: c.registry.create_device_with_sas(device.device_id, "", "", "enabled"), 409)
    module = c.module(device)
    lifecycle = c.events(device, "deviceLifecycleEvents").take_many(2)
    equal([event.properties.get("moduleId") for event in lifecycle], [None, module.module_id])
