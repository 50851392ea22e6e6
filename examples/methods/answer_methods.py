"""A device that answers the direct method `writeLine` by writing a line.

Usage: answer_methods.py [number of calls]
"""

import os
import sys
import threading

from azure.iot.device import IoTHubDeviceClient, MethodResponse


def main(count=1):
    client = IoTHubDeviceClient.create_from_connection_string(os.environ["IOTHUB_DEVICE_CONNECTION_STRING"])
    written = threading.Semaphore(0)

    def answer(request):
        is_line = isinstance(request.payload, str)
        if request.name != "writeLine":
            status, payload = 501, None
        elif not is_line:
            status, payload = 400, {"error": "the payload is a line of text"}
        else:
            print(f"line: {request.payload}", flush=True)
            status, payload = 200, {"written": True}
        client.send_method_response(MethodResponse.create_from_method_request(request, status, payload))
        if status == 200:
            written.release()

    client.on_method_request_received = answer
    print("ready", flush=True)
    for _ in range(int(count)):
        written.acquire()
    client.shutdown()


if __name__ == "__main__":
    main(*sys.argv[1:])
