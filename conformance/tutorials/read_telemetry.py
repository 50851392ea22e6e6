"""Prints telemetry as it comes, until so many events of a device were there."""

import os
import sys

from azure.eventhub import EventHubConsumerClient


def main(event_hubs_connection_string, device_id, count):
    client = EventHubConsumerClient.from_connection_string(
        event_hubs_connection_string,
        consumer_group="$Default",
        # Other than most, this SDK does not look at the environment.
        connection_verify=os.environ.get("SSL_CERT_FILE"),
    )
    left = int(count)

    def show(_, events):
        nonlocal left
        for event in events:
            origin = event.system_properties[b"iothub-connection-device-id"].decode()
            if origin == device_id and left > 0:
                left -= 1
                storm = event.properties.get(b"storm", b"unknown").decode()
                print("telemetry", event.body_as_str(), "storm", storm, flush=True)
        if left == 0:
            client.close()

    client.receive_batch(on_event_batch=show, starting_position="@latest")


if __name__ == "__main__":
    main(*sys.argv[1:])
