"""Sends a device a message, asks for feedback about it, and says whether the hub took it."""

import sys
import time

from azure.iot.hub import IoTHubRegistryManager


def main(service_connection_string, device_id, message_id, text, ttl_s=None, *properties):
    registry = IoTHubRegistryManager.from_connection_string(service_connection_string)
    about = {"messageId": message_id, "iothub-ack": "full", **dict(text.split("=", 1) for text in properties)}
    if ttl_s:
        about["expiryTimeUtc"] = int(time.time() + float(ttl_s)) * 1000
    try:
        registry.send_c2d_message(device_id, text, about)
    except Exception as error:  # noqa: BLE001: the SDK raises nothing more precise.
        print("refused", error)
    else:
        print("sent", message_id)


if __name__ == "__main__":
    main(*sys.argv[1:])
