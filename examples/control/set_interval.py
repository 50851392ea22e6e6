"""A back end that tells a weather station how often to send.

Usage: set_interval.py <device ID> <seconds>
"""

import os
import sys

from azure.iot.hub import IoTHubRegistryManager
from azure.iot.hub.models import CloudToDeviceMethod


def main(device_id, seconds):
    registry = IoTHubRegistryManager.from_connection_string(os.environ["IOTHUB_CONNECTION_STRING"])
    call = CloudToDeviceMethod(method_name="SetTelemetryInterval", payload=int(seconds), response_timeout_in_seconds=30)
    answer = registry.invoke_device_method(device_id, call)
    if answer.status != 200:
        sys.exit(f"{device_id} refused: {answer.status} {answer.payload}")
    print(f"{device_id} sends every {seconds} s")


if __name__ == "__main__":
    main(*sys.argv[1:])
