"""A weather station: sends the wind speed at an interval that a direct method changes."""

import json
import random
import sys
import threading

from azure.iot.device import IoTHubDeviceClient, Message, MethodResponse

STORM_METRES_PER_S = 14


class WeatherStation:
    def __init__(self, client):
        self._client = client
        self._interval_s = 1
        self._changed = threading.Event()
        client.on_method_request_received = self.answer

    def answer(self, request):
        if request.name == "SetTelemetryInterval":
            try:
                self._interval_s = float(request.payload)
            except (TypeError, ValueError):
                status, payload = 400, {"Response": "the interval is a number of seconds"}
            else:
                status, payload = 200, {"Response": f"every {self._interval_s} s"}
                self._changed.set()
        else:
            status, payload = 404, {"Response": f"there is no method {request.name}"}
        self._client.send_method_response(MethodResponse.create_from_method_request(request, status, payload))

    def measure(self):
        wind_speed = 10 + 8 * random.random()
        message = Message(json.dumps({"windSpeed": wind_speed, "interval": self._interval_s}))
        message.content_type, message.content_encoding = "application/json", "utf-8"
        message.custom_properties["storm"] = "true" if wind_speed > STORM_METRES_PER_S else "false"
        self._client.send_message(message)
        print("sent", message.data, flush=True)

    def run(self):
        while True:
            self.measure()
            self._changed.wait(self._interval_s)
            self._changed.clear()


def main(connection_string, *options):
    client = IoTHubDeviceClient.create_from_connection_string(connection_string, websockets="--websockets" in options)
    client.connect()
    station = WeatherStation(client)
    print("ready", flush=True)
    station.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
