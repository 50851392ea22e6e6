"""A device that measures the wind and sends its speed once a second.

Usage: send_telemetry.py [number of messages]
"""

import json
import math
import os
import sys
import time

from azure.iot.device import IoTHubDeviceClient, Message

STORM_METRES_PER_S = 14


def main(count=10):
    client = IoTHubDeviceClient.create_from_connection_string(os.environ["IOTHUB_DEVICE_CONNECTION_STRING"])
    client.connect()
    for number in range(1, int(count) + 1):
        wind_speed = round(10 + 6 * math.sin(number), 1)  # The wind comes in gusts.
        storm = "true" if wind_speed > STORM_METRES_PER_S else "false"
        message = Message(json.dumps({"windSpeed": wind_speed}), content_encoding="utf-8", content_type="application/json")
        message.custom_properties["storm"] = storm
        client.send_message(message)  # Comes back when the hub has stored the message.
        print(f"sent {wind_speed:.1f} m/s, storm: {storm}", flush=True)
        time.sleep(1)
    client.shutdown()


if __name__ == "__main__":
    main(*sys.argv[1:])
