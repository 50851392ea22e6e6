"""Reads through the twin when a device was rebooted last; waits for the first time."""

import sys
import time

from azure.iot.hub import IoTHubRegistryManager


def main(service_connection_string, device_id):
    registry = IoTHubRegistryManager.from_connection_string(service_connection_string)
    while True:
        reboot_time = registry.get_twin(device_id).properties.reported.get("rebootTime")
        if reboot_time is not None:
            print("last reboot", reboot_time)
            return
        # The device reports when it is done; a back end asks.
        time.sleep(0.2)


if __name__ == "__main__":
    main(*sys.argv[1:])
