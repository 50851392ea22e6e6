"""A device that prints the messages that are sent to it."""

import json
import sys
import threading

from azure.iot.device import IoTHubDeviceClient


def main(connection_string, *options):
    client = IoTHubDeviceClient.create_from_connection_string(connection_string, websockets="--websockets" in options)

    def show(message):
        text = {"id": message.message_id, "data": message.data.decode(), "properties": message.custom_properties}
        print("received", json.dumps(text), flush=True)

    client.on_message_received = show
    print("ready", flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
