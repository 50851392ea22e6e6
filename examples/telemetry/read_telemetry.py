"""A back end that reads what a device sends from now on.

Usage: read_telemetry.py <device ID> [number of messages]
"""

import os
import sys
from datetime import datetime, timezone

from azure.eventhub import EventHubConsumerClient


def main(device_id, count=10):
    left = int(count)
    client = EventHubConsumerClient.from_connection_string(
        os.environ["EVENTHUB_CONNECTION_STRING"],
        consumer_group="$Default",
        # Other than the rest of these packages, this one does not look at the environment by itself.
        connection_verify=os.environ.get("SSL_CERT_FILE"),
    )

    def show(_, event):
        nonlocal left
        origin = event.system_properties[b"iothub-connection-device-id"].decode()
        if origin != device_id or left == 0:
            return
        storm = event.properties.get(b"storm", b"unknown").decode()
        print(f"{device_id}: {event.body_as_str()}, storm: {storm}", flush=True)
        left -= 1
        if left == 0:
            client.close()

    now = datetime.now(timezone.utc)
    print("reading", flush=True)
    client.receive(on_event=show, starting_position=now)  # All partitions of the built-in endpoint.


if __name__ == "__main__":
    main(*sys.argv[1:])
