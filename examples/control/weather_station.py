"""A device that sends the wind speed at an interval which the direct method `SetTelemetryInterval` changes.

Usage: weather_station.py [number of messages] [interval in seconds]
"""

import json
import math
import os
import sys
import threading

from azure.iot.device import IoTHubDeviceClient, Message, MethodResponse

INTERVAL_S_MAX = 86_400


def main(count=10, interval_s=10):
    client = IoTHubDeviceClient.create_from_connection_string(os.environ["IOTHUB_DEVICE_CONNECTION_STRING"])
    interval_s = int(interval_s)
    changed = threading.Event()

    def answer(request):
        nonlocal interval_s
        if request.name != "SetTelemetryInterval":
            status, payload = 501, None
        elif not isinstance(request.payload, int) or not 1 <= request.payload <= INTERVAL_S_MAX:
            status, payload = 400, {"error": "the interval is 1 to 86400 seconds"}
        else:
            interval_s = request.payload
            changed.set()
            status, payload = 200, {"interval": interval_s}
        client.send_method_response(MethodResponse.create_from_method_request(request, status, payload))

    client.on_method_request_received = answer
    print("ready", flush=True)
    for number in range(1, int(count) + 1):
        wind_speed = round(10 + 6 * math.sin(number), 1)  # The wind comes in gusts.
        changed.clear()
        body = json.dumps({"windSpeed": wind_speed, "interval": interval_s})
        client.send_message(Message(body, content_encoding="utf-8", content_type="application/json"))
        print(f"sent {body}", flush=True)
        if number < int(count):
            changed.wait(interval_s)  # Ends early when the interval is changed.
    client.shutdown()


if __name__ == "__main__":
    main(*sys.argv[1:])
