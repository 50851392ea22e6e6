"""A back end that reboots a device and reads from its twin when it came up again.

Usage: reboot_device.py <device ID>
"""

import json
import os
import sys
import time

from azure.iot.hub import IoTHubRegistryManager
from azure.iot.hub.models import CloudToDeviceMethod

REBOOT_S_MAX = 60


def main(device_id):
    registry = IoTHubRegistryManager.from_connection_string(os.environ["IOTHUB_CONNECTION_STRING"])

    def reboot_time():
        return registry.get_twin(device_id).properties.reported.get("rebootTime")

    before = reboot_time()
    call = CloudToDeviceMethod(method_name="rebootDevice", response_timeout_in_seconds=30)
    answer = registry.invoke_device_method(device_id, call)
    print(answer.status, json.dumps(answer.payload), flush=True)

    deadline = time.monotonic() + REBOOT_S_MAX
    while reboot_time() == before:
        if time.monotonic() > deadline:
            sys.exit("the device has not come up again")
        time.sleep(0.5)
    print(f"last reboot: {reboot_time()}")


if __name__ == "__main__":
    main(*sys.argv[1:])
