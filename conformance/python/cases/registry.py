"""The identity registry through the service SDK."""

import base64
import json

from azure.iot.hub.models import AuthenticationMechanism, Device, ExportImportDevice, QuerySpecification, SymmetricKey

from certificates import Certificate
from framework import SERVICE, case, equal, refused_http

COLUMNS = (SERVICE,)


def key(text):
    return base64.b64encode(text.encode()).decode()


@case("registry/create-and-get", COLUMNS)
def create_and_get(c):
    device_id = c.new_id("-:.+%_#*?!(),=@;$'")
    primary, secondary = key("a key of more than 16 bytes"), key("another of more than 16")
    created = c.registry.create_device_with_sas(device_id, primary, secondary, "enabled", status_reason="new")
    c.forget_later(device_id)
    found = c.registry.get_device(device_id)
    equal(found.serialize(keep_readonly=True), created.serialize(keep_readonly=True), "what is got")
    equal((found.device_id, found.status, found.status_reason), (device_id, "enabled", "new"))
    keys = found.authentication.symmetric_key
    equal((found.authentication.type, keys.primary_key, keys.secondary_key), ("sas", primary, secondary))
    equal((found.connection_state, found.cloud_to_device_message_count), ("Disconnected", 0))
    equal(found.capabilities.iot_edge, False)
    assert found.generation_id.isdigit() and found.etag, (found.generation_id, found.etag)


@case("registry/create-errors", COLUMNS)
def create_errors(c):
    device = c.device()
    again = refused_http(lambda: c.registry.create_device_with_sas(device.device_id, "", "", "enabled"), 409)
    assert again.json()["Message"].startswith("ErrorCode:DeviceAlreadyExists;"), again.text
    equal(again.headers["iothub-errorcode"], "DeviceAlreadyExists")
    refused_http(lambda: c.registry.create_device_with_sas("a/b", "", "", "enabled"), 400)
    refused_http(lambda: c.registry.create_device_with_sas("x" * 129, "", "", "enabled"), 400)
    missing = refused_http(lambda: c.registry.get_device("absent"), 404, "DeviceNotFound")
    assert missing.json()["Message"] == "ErrorCode:DeviceNotFound;absent", missing.text


@case("registry/update", COLUMNS)
def update(c):
    device = c.device()
    before = c.registry.get_device(device.device_id)
    after = c.registry.update_device_with_sas(
        device.device_id, before.etag, device.key, device.key, "disabled", status_reason="maintenance"
    )
    assert after.etag != before.etag
    equal((after.status, after.status_reason, after.generation_id), ("disabled", "maintenance", before.generation_id))
    assert after.status_updated_time > before.status_updated_time


@case("registry/update-errors", COLUMNS)
def update_errors(c):
    device = c.device()

    def update(device_id, etag):
        return lambda: c.registry.update_device_with_sas(device_id, etag, device.key, device.key, "enabled")

    stale = c.registry.get_device(device.device_id).etag
    update(device.device_id, stale)()
    refused_http(update(device.device_id, stale), 412, "PreconditionFailed")
    update(device.device_id, "*")()
    refused_http(update("absent", "*"), 404, "DeviceNotFound")


@case("registry/delete", COLUMNS)
def delete(c):
    device = c.device()
    stale = c.registry.get_device(device.device_id).etag
    c.registry.update_device_with_sas(device.device_id, stale, device.key, device.key, "enabled")
    refused_http(lambda: c.registry.delete_device(device.device_id, stale), 412, "PreconditionFailed")
    c.registry.delete_device(device.device_id)
    refused_http(lambda: c.registry.get_device(device.device_id), 404, "DeviceNotFound")
    refused_http(lambda: c.registry.delete_device(device.device_id), 404, "DeviceNotFound")
    # What is registered again is another device.
    again = c.registry.create_device_with_sas(device.device_id, "", "", "enabled")
    equal(c.registry.get_twin(device.device_id).version, 2)
    assert again.authentication.symmetric_key.primary_key != device.key


@case("registry/modules", COLUMNS)
def modules(c):
    device = c.device()
    created = c.registry.create_module_with_sas(device.device_id, "m-1", "someone", "", "")
    equal((created.module_id, created.device_id, created.managed_by), ("m-1", device.device_id, "someone"))
    found = c.registry.get_module(device.device_id, "m-1")
    equal(found.serialize(keep_readonly=True), created.serialize(keep_readonly=True))
    given = key("a key of more than 16 bytes")
    after = c.registry.update_module_with_sas(device.device_id, "m-1", "other", found.etag, given, given)
    equal((after.managed_by, after.authentication.symmetric_key.primary_key), ("other", given))
    assert after.etag != found.etag
    c.registry.create_module_with_x509(device.device_id, "m-2", "", Certificate("a").thumbprint(), None)
    equal(sorted(module.module_id for module in c.registry.get_modules(device.device_id)), ["m-1", "m-2"])
    c.registry.delete_module(device.device_id, "m-1")
    equal([module.module_id for module in c.registry.get_modules(device.device_id)], ["m-2"])


@case("registry/module-errors", COLUMNS)
def module_errors(c):
    device = c.device()
    create = c.registry.create_module_with_sas
    create(device.device_id, "m", "", "", "")
    refused_http(lambda: create(device.device_id, "m", "", "", ""), 409, "ModuleAlreadyExistsOnDevice")
    refused_http(lambda: create("absent", "m", "", "", ""), 404, "DeviceNotFound")
    refused_http(lambda: create(device.device_id, "a/b", "", "", ""), 400)
    refused_http(lambda: c.registry.get_module(device.device_id, "absent"), 404, "ModuleNotFound")
    stale = c.registry.get_module(device.device_id, "m").etag
    c.registry.update_module_with_sas(device.device_id, "m", "", stale, "", "")
    update = c.registry.update_module_with_sas
    refused_http(lambda: update(device.device_id, "m", "", stale, "", ""), 412, "PreconditionFailed")
    refused_http(lambda: c.registry.delete_module(device.device_id, "m", stale), 412, "PreconditionFailed")
    refused_http(lambda: c.registry.delete_module(device.device_id, "absent"), 404, "ModuleNotFound")


@case("registry/too-many-modules", COLUMNS)
def too_many_modules(c):
    device = c.device()
    for number in range(50):
        c.registry.create_module_with_certificate_authority(device.device_id, f"m{number}", "")
    create = c.registry.create_module_with_certificate_authority
    refused_http(lambda: create(device.device_id, "m50", ""), 413, "TooManyModulesOnDevice")


@case("registry/list", COLUMNS)
def list_devices(c):
    devices = [c.device() for _ in range(3)]
    found = {device.device_id for device in c.registry.get_devices(1000)}
    assert found.issuperset(device.device_id for device in devices), found
    equal(len(c.registry.get_devices(2)), 2)


@case("registry/query", COLUMNS)
def query(c):
    devices = sorted(c.device().device_id for _ in range(3))
    listed = ", ".join(f"'{device_id}'" for device_id in devices)
    text = f"SELECT * FROM devices WHERE deviceId IN [{listed}]"
    whole = c.registry.query_iot_hub(QuerySpecification(query=text))
    equal((whole.type, whole.continuation_token), ("Twin", None))
    equal(sorted(twin.device_id for twin in whole.items), devices)
    pages, token = [], None
    while True:
        page = c.registry.query_iot_hub(QuerySpecification(query=text), token, 2)
        pages.append([twin.device_id for twin in page.items])
        token = page.continuation_token
        if token is None:
            break
    equal(([len(page) for page in pages], sorted(sum(pages, []))), ([2, 1], devices))
    one = c.registry.query_iot_hub(QuerySpecification(query=f"select * from devices where deviceId = '{devices[0]}'"))
    equal([twin.device_id for twin in one.items], devices[:1])
    edge = c.registry.query_iot_hub(QuerySpecification(query="select * from devices where capabilities.iotEdge = true"))
    equal(edge.items, [])


@case("registry/query-modules", COLUMNS)
def query_modules(c):
    device = c.device()
    module = c.module(device)
    text = f"SELECT * FROM devices.modules WHERE deviceId = '{device.device_id}'"
    found = c.registry.query_iot_hub(QuerySpecification(query=text))
    equal([(twin.device_id, twin.module_id) for twin in found.items], [(device.device_id, module.module_id)])


@case("registry/query-reads-what-was-written", COLUMNS)
def query_reads_what_was_written(c):
    for _ in range(10):
        device = c.device()
        text = f"SELECT * FROM devices WHERE deviceId = '{device.device_id}'"
        equal(len(c.registry.query_iot_hub(QuerySpecification(query=text)).items), 1)


@case("registry/query-errors", COLUMNS)
def query_errors(c):
    for text in ("SELECT", "SELECT * FROM nowhere", "SELECT * FROM devices WHERE", "DROP TABLE devices", ""):
        query = QuerySpecification(query=text)
        response = refused_http(lambda query=query: c.registry.query_iot_hub(query), 400)
        assert response.json()["Message"].startswith("ErrorCode:"), response.text


def entry(device_id, mode, **options):
    authentication = AuthenticationMechanism(type="sas", symmetric_key=SymmetricKey(primary_key="", secondary_key=""))
    return ExportImportDevice(
        id=device_id, import_mode=mode, status="enabled", authentication=authentication, **options
    )


@case("registry/bulk", COLUMNS)
def bulk(c):
    ids = [c.new_id("-bulk") for _ in range(10)]
    for device_id in ids:
        c.forget_later(device_id)
    result = c.registry.bulk_create_or_update_devices([entry(device_id, "create") for device_id in ids])
    equal((result.is_successful, result.errors, result.warnings), (True, [], []))
    keys = {c.registry.get_device(device_id).authentication.symmetric_key.primary_key for device_id in ids}
    equal(len(keys), len(ids), "keys of their own")
    disabled = entry(ids[0], "update")
    disabled.status = "disabled"
    result = c.registry.bulk_create_or_update_devices([disabled, entry(ids[1], "delete")])
    equal(result.is_successful, True)
    equal(c.registry.get_device(ids[0]).status, "disabled")
    refused_http(lambda: c.registry.get_device(ids[1]), 404)


@case("registry/bulk-errors", COLUMNS)
def bulk_errors(c):
    device, new_id = c.device(), c.new_id("-bulk")
    c.forget_later(new_id)
    change = c.registry.bulk_create_or_update_devices
    entries = [entry(device.device_id, "create"), entry(new_id, "create"), entry("absent", "update")]
    # HTTP 400, which this SDK hands out as a result.
    result = change(entries)
    equal(result.is_successful, False)
    found = {error.device_id: error.error_code for error in result.errors}
    equal(found, {device.device_id: "DeviceAlreadyExists", "absent": "DeviceNotFound"})
    equal(c.registry.get_device(new_id).status, "enabled", "the good one of the three")
    result = change([entry(device.device_id, "updateIfMatchETag", e_tag="MQ==")])
    equal([error.error_code for error in result.errors], ["PreconditionFailed"])
    answer = c.hub.rest("POST", "/devices", json=[{"id": "absent", "importMode": "update"}], expect=400)
    equal(answer.headers["iothuberrorcode"], "BulkRegistryOperationFailure")
    refused_http(lambda: change([entry(f"d{number}", "create") for number in range(101)]), 413, "TooManyDevices")


@case("registry/statistics", COLUMNS)
def statistics(c):
    device = c.device(status="disabled")
    counts = c.registry.get_device_registry_statistics()
    equal(counts.total_device_count, counts.enabled_device_count + counts.disabled_device_count)
    assert counts.disabled_device_count >= 1, counts
    online = c.device()
    c.connect(online)
    assert c.registry.get_service_statistics().connected_device_count >= 1
    equal(c.registry.get_device(online.device_id).connection_state, "Connected")
    equal(c.registry.get_device(device.device_id).connection_state, "Disconnected")


@case("registry/keys", COLUMNS)
def keys(c):
    device = c.device()
    first = c.registry.get_device(device.device_id).authentication.symmetric_key
    for found in (first.primary_key, first.secondary_key):
        equal(len(base64.b64decode(found)), 32, "bytes of a key that the hub made")
    assert first.primary_key != first.secondary_key
    after = c.registry.update_device_with_sas(device.device_id, "*", "", "", "enabled").authentication.symmetric_key
    equal(len({first.primary_key, first.secondary_key, after.primary_key, after.secondary_key}), 4, "different keys")
    for length in (16, 19, 64):
        given = base64.b64encode(b"k" * length).decode()
        kept = c.registry.update_device_with_sas(device.device_id, "*", given, given, "enabled")
        equal(kept.authentication.symmetric_key.primary_key, given)


@case("registry/keys-regenerated", COLUMNS)
def keys_regenerated(c):
    device = c.device()
    before = c.registry.get_device(device.device_id).authentication.symmetric_key
    body = {"policyKey": "secondaryKey", "devices": [{"id": device.device_id}]}
    answer = c.hub.rest("POST", "/devices/keys/regenerate", json=body, params={"api-version": "2024-03-31"}, expect=200)
    rotated = answer.json()["rotatedKeys"][0]
    after = c.registry.get_device(device.device_id).authentication.symmetric_key
    equal((after.primary_key, after.secondary_key), (before.primary_key, rotated["secondaryKey"]))
    equal(rotated["primaryKey"], None)
    assert rotated["secondaryKey"] != before.secondary_key


@case("registry/keys-refused", COLUMNS)
def keys_refused(c):
    device_id = c.new_id()
    good = key("a key of more than 16 bytes")
    for bad in ("1", "no base64 at all!", base64.b64encode(b"k" * 15).decode(), base64.b64encode(b"k" * 65).decode()):
        create = lambda bad=bad: c.registry.create_device_with_sas(device_id, good, bad, "enabled")  # noqa: E731
        refused_http(create, 400)
    refused_http(lambda: c.registry.get_device(device_id), 404)


@case("registry/authentication-types", COLUMNS)
def authentication_types(c):
    device_id = c.new_id()
    c.forget_later(device_id)
    sha256, sha1 = "AB" * 32, "cd" * 20
    created = c.registry.create_device_with_x509(device_id, sha256, sha1, "enabled")
    thumbprints = created.authentication.x509_thumbprint
    equal(created.authentication.type, "selfSigned")
    found = (thumbprints.primary_thumbprint.upper(), thumbprints.secondary_thumbprint.upper())
    equal(found, (sha256, sha1.upper()))
    after = c.registry.update_device_with_certificate_authority(device_id, "*", "enabled")
    equal(after.authentication.type, "certificateAuthority")
    equal(c.registry.get_twin(device_id).authentication_type, "certificateAuthority")
    after = c.registry.update_device_with_sas(device_id, "*", "", "", "enabled")
    equal(after.authentication.type, "sas")
    # The form of the first SDKs names no type.
    untyped = c.new_id()
    c.forget_later(untyped)
    body = {"deviceId": untyped, "authentication": {"x509Thumbprint": {"primaryThumbprint": sha256}}}
    created = c.hub.rest("PUT", f"/devices/{untyped}", json=body, expect=200).json()
    equal(created["authentication"]["type"], "selfSigned")


@case("registry/authentication-types-refused", COLUMNS)
def authentication_types_refused(c):
    device_id = c.new_id()
    for bad in ("AB" * 31, "XY" * 32, "short"):
        refused_http(lambda bad=bad: c.registry.create_device_with_x509(device_id, bad, bad, "enabled"), 400)
    refused_http(lambda: c.registry.get_device(device_id), 404)


@case("registry/status", COLUMNS)
def status(c):
    device = c.device()
    update = c.registry.update_device_with_sas
    off = update(device.device_id, "*", device.key, device.key, "disabled", status_reason="ümläut " * 10)
    equal((off.status, off.status_reason), ("disabled", "ümläut " * 10))
    equal(c.registry.get_twin(device.device_id).status, "disabled")
    on = update(device.device_id, "*", device.key, device.key, "enabled")
    equal((on.status, on.status_reason), ("enabled", None))
    assert on.status_updated_time > off.status_updated_time


@case("registry/status-refused", COLUMNS)
def status_refused(c):
    device = c.device()
    update = c.registry.update_device_with_sas
    refused_http(lambda: update(device.device_id, "*", device.key, device.key, "asleep"), 400)
    long = "x" * 129
    refused_http(lambda: update(device.device_id, "*", device.key, device.key, "enabled", status_reason=long), 400)
    equal(c.registry.get_device(device.device_id).status, "enabled")


@case("registry/bad-requests", COLUMNS)
def bad_requests(c):
    device_id = c.new_id()
    for body in ("{", "[]", "null", '"text"', '{"deviceId": 7}', '{"deviceId": "another"}', "[" * 1000):
        answer = c.hub.rest("PUT", f"/devices/{device_id}", data=body, headers={"Content-Type": "application/json"})
        equal(answer.status_code, 400, body[:20])
        assert json.loads(answer.text)["Message"].startswith("ErrorCode:"), answer.text
    equal(c.hub.rest("GET", f"/devices/{device_id}", params={"api-version": "tomorrow"}).status_code, 400)
    equal(c.hub.rest("GET", "/nothing/here").status_code, 404)
    device = Device(device_id=device_id)
    c.registry.protocol.devices.create_or_update_identity(device_id, device)
    c.forget_later(device_id)
    equal(c.registry.get_device(device_id).authentication.type, "sas", "what a bare device gets")
