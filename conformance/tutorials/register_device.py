"""Registers a device and prints the connection string that it connects with."""

import sys

from azure.iot.hub import IoTHubRegistryManager


def main(service_connection_string, device_id):
    registry = IoTHubRegistryManager.from_connection_string(service_connection_string)
    # Empty keys: the hub makes them.
    device = registry.create_device_with_sas(device_id, "", "", "enabled")
    host_name = service_connection_string.split("HostName=")[1].split(";")[0]
    key = device.authentication.symmetric_key.primary_key
    print(f"HostName={host_name};DeviceId={device_id};SharedAccessKey={key}")


if __name__ == "__main__":
    main(*sys.argv[1:])
