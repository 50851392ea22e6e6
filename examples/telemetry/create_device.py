"""Registers a device and prints the connection string with which it connects.

Usage: create_device.py <device ID>
"""

import os
import sys

from azure.iot.hub import IoTHubRegistryManager
from msrest.exceptions import HttpOperationError


def main(device_id):
    connection_string = os.environ["IOTHUB_CONNECTION_STRING"]
    registry = IoTHubRegistryManager.from_connection_string(connection_string)
    try:
        # Without keys of our own choice the hub makes them.
        device = registry.create_device_with_sas(device_id, "", "", "enabled")
    except HttpOperationError as error:
        if error.response.status_code != 409:
            raise
        device = registry.get_device(device_id)  # It is there already.
    host_name = dict(part.split("=", 1) for part in connection_string.split(";"))["HostName"]
    key = device.authentication.symmetric_key.primary_key
    print(f"HostName={host_name};DeviceId={device_id};SharedAccessKey={key}")


if __name__ == "__main__":
    main(*sys.argv[1:])
