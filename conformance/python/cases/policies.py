"""What a back end may do, and how it proves who it is."""

from azure.iot.hub import IoTHubRegistryManager
from azure.iot.hub.models import CloudToDeviceMethod, Twin
from azure.iot.hub.sastoken import SasToken
from msrest.exceptions import HttpOperationError

from framework import SERVICE, case, equal, refused_http

COLUMNS = (SERVICE,)

READ, WRITE, CONNECT = "RegistryRead", "RegistryWrite", "ServiceConnect"

RIGHTS = {
    "iothubowner": {READ, WRITE, CONNECT},
    "service": {CONNECT},
    "device": set(),
    "registryRead": {READ},
    "registryReadWrite": {READ, WRITE},
}


def operations(registry, device_id):
    return [
        (READ, lambda: registry.get_device(device_id)),
        (READ, lambda: registry.get_devices(1)),
        (READ, lambda: registry.get_modules(device_id)),
        (WRITE, lambda: registry.update_device_with_certificate_authority(device_id, "*", "enabled")),
        (WRITE, lambda: registry.bulk_create_or_update_devices([])),
        (CONNECT, lambda: registry.get_twin(device_id)),
        (CONNECT, lambda: registry.update_twin(device_id, Twin(tags={"a": 1}), None)),
        (CONNECT, lambda: registry.invoke_device_method(device_id, CloudToDeviceMethod(method_name="m"))),
    ]


def is_authorized(call):
    try:
        call()
    except HttpOperationError as error:
        # Authorized, whatever else is wrong: nobody answers the method.
        return error.response.status_code != 401
    return True


@case("policies/rights", COLUMNS)
def rights(c):
    device = c.device()
    for policy, rights in RIGHTS.items():
        registry = IoTHubRegistryManager.from_connection_string(c.hub.connection_string(policy))
        found = [is_authorized(call) for _, call in operations(registry, device.device_id)]
        expected = [right in rights for right, _ in operations(registry, device.device_id)]
        equal(found, expected, policy)


@case("policies/refused", COLUMNS)
def refused(c):
    device = c.device()
    registry = IoTHubRegistryManager.from_connection_string(c.hub.connection_string("registryRead"))
    response = refused_http(lambda: registry.delete_device(device.device_id), 401, "IotHubUnauthorizedAccess")
    equal(response.json()["Message"], "ErrorCode:IotHubUnauthorizedAccess;Unauthorized")
    equal(c.registry.get_device(device.device_id).device_id, device.device_id, "still there")


@case("policies/statistics-refused", COLUMNS)
def statistics_refused(c):
    registry = IoTHubRegistryManager.from_connection_string(c.hub.connection_string("device"))
    refused_http(registry.get_device_registry_statistics, 401, "IotHubUnauthorizedAccess")
    refused_http(registry.get_service_statistics, 401, "IotHubUnauthorizedAccess")


def policy_key(c, policy):
    parts = dict(part.split("=", 1) for part in c.hub.connection_string(policy).split(";"))
    return parts["SharedAccessKey"]


def status_with(c, token, path="/statistics/devices"):
    return c.hub.rest("GET", path, headers={"Authorization": str(token)}).status_code


@case("service-token/accepted", COLUMNS)
def accepted(c):
    host, key = c.hub.host_name, policy_key(c, "iothubowner")
    equal(status_with(c, SasToken(host, key, "iothubowner")), 200)
    equal(status_with(c, SasToken(host.upper(), key, "iothubowner")), 200, "the host in capitals")
    device = c.device()
    narrow = SasToken(f"{host}/devices/{device.device_id}", key, "iothubowner")
    equal(status_with(c, narrow, f"/devices/{device.device_id}"), 200, "a token for one device")
    equal(status_with(c, narrow, f"/devices/{device.device_id}x"), 401, "another device")


@case("service-token/refused", COLUMNS)
def token_refused(c):
    host, key = c.hub.host_name, policy_key(c, "iothubowner")
    good = SasToken(host, key, "iothubowner")
    other_key = policy_key(c, "service")
    bad = {
        "expired": SasToken(host, key, "iothubowner", ttl=-3600),
        "wrong key": SasToken(host, other_key, "iothubowner"),
        "unknown policy": SasToken(host, key, "nobody"),
        "another host": SasToken("another.example.com", key, "iothubowner"),
        "no signature": str(good).replace("sig=", "gis="),
        "no expiry": str(good).replace("&se=", "&es="),
        "no token": "Bearer abc",
        "nothing": "",
    }
    for what, token in bad.items():
        equal(status_with(c, token), 401, what)
    wrong = c.hub.connection_string("iothubowner").replace(key, other_key)
    registry = IoTHubRegistryManager.from_connection_string(wrong)
    refused_http(lambda: registry.get_devices(1), 401, "IotHubUnauthorizedAccess")
