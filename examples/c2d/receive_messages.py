"""A device that prints the messages that are sent to it.

Usage: receive_messages.py [number of messages]
"""

import os
import sys
import threading

from azure.iot.device import IoTHubDeviceClient


def main(count=1):
    client = IoTHubDeviceClient.create_from_connection_string(os.environ["IOTHUB_DEVICE_CONNECTION_STRING"])
    received = threading.Semaphore(0)

    def show(message):
        """The SDK has taken the message out of the device's queue before it calls this."""
        print(f"received: {message.data.decode()}", flush=True)
        for name, value in message.custom_properties.items():
            print(f"  {name}: {value}", flush=True)
        received.release()

    client.on_message_received = show
    print("ready", flush=True)
    for _ in range(int(count)):
        received.acquire()
    client.shutdown()


if __name__ == "__main__":
    main(*sys.argv[1:])
