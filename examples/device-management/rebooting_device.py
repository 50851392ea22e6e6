"""A device that can be rebooted from afar. Afterwards it reports when that was, as `rebootTime` in its twin.

Usage: rebooting_device.py
"""

import os
import threading
import time
from datetime import datetime, timezone

from azure.iot.device import IoTHubDeviceClient, MethodResponse


def main():
    connection_string = os.environ["IOTHUB_DEVICE_CONNECTION_STRING"]
    client = IoTHubDeviceClient.create_from_connection_string(connection_string)
    reboot_requested = threading.Event()

    def answer(request):
        is_reboot = request.name == "rebootDevice"
        status, payload = (200, {"rebooting": True}) if is_reboot else (501, None)
        client.send_method_response(MethodResponse.create_from_method_request(request, status, payload))
        if is_reboot:
            reboot_requested.set()

    client.on_method_request_received = answer
    print("ready", flush=True)
    reboot_requested.wait()

    # The back end has its answer before the device goes down.
    client.shutdown()
    print("rebooting", flush=True)
    time.sleep(1)

    client = IoTHubDeviceClient.create_from_connection_string(connection_string)
    client.connect()
    reboot_time = datetime.now(timezone.utc).isoformat()
    client.patch_twin_reported_properties({"rebootTime": reboot_time})
    print(f"rebooted at {reboot_time}", flush=True)
    client.shutdown()


if __name__ == "__main__":
    main()
