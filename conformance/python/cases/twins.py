"""Twins through the service SDK."""

from concurrent.futures import ThreadPoolExecutor

from azure.iot.hub.models import Twin, TwinProperties

from cases.twin import nested
from framework import SERVICE, case, equal, refused_http

COLUMNS = (SERVICE,)


def desired(value):
    return Twin(properties=TwinProperties(desired=value))


def plain(section):
    """Without metadata."""
    return {name: value for name, value in section.items() if name != "$metadata"}


@case("twins/get", COLUMNS)
def get(c):
    device = c.device()
    twin = c.registry.get_twin(device.device_id)
    equal((twin.device_id, twin.version, twin.etag), (device.device_id, 2, "AAAAAAAAAAE="))
    equal((twin.status, twin.connection_state, twin.authentication_type), ("enabled", "Disconnected", "sas"))
    equal((twin.tags, twin.cloud_to_device_message_count), (None, 0))
    equal(twin.device_etag, c.registry.get_device(device.device_id).etag)
    equal((plain(twin.properties.desired), plain(twin.properties.reported)), ({"$version": 1}, {"$version": 1}))
    c.connect(device)
    equal(c.registry.get_twin(device.device_id).connection_state, "Connected")
    module = c.module(device)
    twin = c.registry.get_module_twin(module.device_id, module.module_id)
    equal((twin.device_id, twin.module_id, twin.version), (module.device_id, module.module_id, 2))


@case("twins/not-found", COLUMNS)
def not_found(c):
    device = c.device()
    refused_http(lambda: c.registry.get_twin("absent"), 404, "DeviceNotFound")
    refused_http(lambda: c.registry.get_module_twin("absent", "m"), 404)
    refused_http(lambda: c.registry.get_module_twin(device.device_id, "absent"), 404, "ModuleNotFound")
    refused_http(lambda: c.registry.update_twin("absent", Twin(tags={"a": 1}), None), 404, "DeviceNotFound")
    c.registry.delete_device(device.device_id)
    refused_http(lambda: c.registry.get_twin(device.device_id), 404, "DeviceNotFound")


@case("twins/update", COLUMNS)
def update(c):
    device = c.device()
    patch = Twin(
        tags={"place": {"floor": 3, "room": "a"}}, properties=TwinProperties(desired={"x": 1, "y": {"z": [1]}})
    )
    twin = c.registry.update_twin(device.device_id, patch, None)
    equal((twin.version, twin.etag), (3, "AAAAAAAAAAI="), "one write counts once")
    patch = Twin(
        tags={"place": {"room": None}}, properties=TwinProperties(desired={"x": None, "y": {"w": 66, "v": 28.02}})
    )
    twin = c.registry.update_twin(device.device_id, patch, twin.etag)
    equal(twin.tags, {"place": {"floor": 3}})
    equal(plain(twin.properties.desired), {"y": {"z": [1], "w": 66, "v": 28.02}, "$version": 3})
    twin = c.registry.update_twin(device.device_id, Twin(tags={"place": None}), None)
    equal((twin.tags, plain(twin.properties.desired)["$version"]), (None, 3), "tags leave the desired version")
    twin = c.registry.update_twin(device.device_id, desired({"y": {"w": 66}}), None)
    equal(plain(twin.properties.desired)["$version"], 4, "the same values count, too")
    equal(c.registry.get_twin(device.device_id).serialize(keep_readonly=True), twin.serialize(keep_readonly=True))


@case("twins/metadata", COLUMNS)
def metadata(c):
    device = c.device()
    c.registry.update_twin(device.device_id, desired({"a": {"b": 1}, "c": [1, 2]}), None)
    twin = c.registry.update_twin(device.device_id, desired({"a": {"d": 2}}), None)
    found = twin.properties.desired["$metadata"]
    versions = {
        "root": found["$lastUpdatedVersion"],
        "a": found["a"]["$lastUpdatedVersion"],
        "a.b": found["a"]["b"]["$lastUpdatedVersion"],
        "a.d": found["a"]["d"]["$lastUpdatedVersion"],
        "c": found["c"]["$lastUpdatedVersion"],
    }
    equal(versions, {"root": 3, "a": 3, "a.b": 2, "a.d": 3, "c": 2})
    c.connect(device).patch_twin_reported_properties({"on": True})
    found = c.registry.get_twin(device.device_id).properties.reported["$metadata"]
    equal(sorted(found["on"]), ["$lastUpdated"])


@case("twins/update-refused", COLUMNS)
def update_refused(c):
    device = c.device()
    update = c.registry.update_twin
    stale = update(device.device_id, Twin(tags={"a": 1}), None).etag
    before = update(device.device_id, Twin(tags={"a": 2}), None)
    refused_http(lambda: update(device.device_id, Twin(tags={"a": 3}), stale), 412, "PreconditionFailed")
    bad = [
        desired({"good": 1, **nested(12)}),
        desired({"with.dot": 1}),
        desired({"with blank": 1}),
        desired({"$dollar": 1}),
        desired({"long": "x" * 4097}),
        desired({"big": 2**53}),
        desired({"list": [None]}),
        desired({f"n{number}": "x" * 4000 for number in range(9)}),
        Twin(tags={f"n{number}": "x" * 4000 for number in range(3)}),
        desired({"k" * 1025: 1}),
    ]
    for twin in bad:
        refused_http(lambda twin=twin: update(device.device_id, twin, None), 400, "ArgumentInvalid")
    for body in ({"tags": "text"}, {"properties": {"desired": []}}):
        equal(c.hub.rest("PATCH", f"/twins/{device.device_id}", json=body).status_code, 400)
    after = c.registry.get_twin(device.device_id)
    equal((after.etag, after.version, after.tags), (before.etag, before.version, before.tags), "nothing changed")


@case("twins/replace", COLUMNS)
def replace(c):
    device = c.device()
    patch = Twin(tags={"old": 1}, properties=TwinProperties(desired={"old": {"deep": 1}, "kept": 1}))
    before = c.registry.update_twin(device.device_id, patch, None)
    new = Twin(tags={"new": 2}, properties=TwinProperties(desired={"kept": 1, "new": 2}))
    twin = c.registry.replace_twin(device.device_id, new, before.etag)
    equal((twin.tags, plain(twin.properties.desired)), ({"new": 2}, {"kept": 1, "new": 2, "$version": 3}))
    equal(sorted(twin.properties.desired["$metadata"])[2:], ["kept", "new"], "metadata of what is left")
    module = c.module(device)
    twin = c.registry.replace_module_twin(module.device_id, module.module_id, new)
    equal((twin.tags, plain(twin.properties.desired)), ({"new": 2}, {"kept": 1, "new": 2, "$version": 2}))


@case("twins/replace-refused", COLUMNS)
def replace_refused(c):
    device = c.device()
    stale = c.registry.get_twin(device.device_id).etag
    c.registry.update_twin(device.device_id, desired({"a": 1}), None)
    refused_http(lambda: c.registry.replace_twin(device.device_id, desired({}), stale), 412, "PreconditionFailed")
    refused_http(lambda: c.registry.replace_twin(device.device_id, desired({"a": None})), 400, "ArgumentInvalid")
    equal(plain(c.registry.get_twin(device.device_id).properties.desired), {"a": 1, "$version": 2})


@case("twins/many-writers", COLUMNS)
def many_writers(c):
    device = c.device()
    client = c.connect(device)
    with ThreadPoolExecutor(8) as pool:
        writes = [pool.submit(c.registry.update_twin, device.device_id, desired({f"d{n}": n}), None) for n in range(20)]
        writes += [pool.submit(client.patch_twin_reported_properties, {f"r{n}": n}) for n in range(20)]
        for write in writes:
            write.result()
    twin = c.registry.get_twin(device.device_id)
    equal(plain(twin.properties.desired), {**{f"d{n}": n for n in range(20)}, "$version": 21})
    equal(plain(twin.properties.reported), {**{f"r{n}": n for n in range(20)}, "$version": 21})
    equal(twin.version, 42)
