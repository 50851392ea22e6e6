"""A back end that sends a device a message and waits until it hears what became of it.

Usage: send_message.py <device ID> <text>
"""

import os
import sys
import time
import uuid

from azure.iot.hub import IoTHubRegistryManager
from azure.iot.hub.iothub_http_runtime_manager import IoTHubHttpRuntimeManager

TIME_TO_LIVE_S = 60


def main(device_id, text):
    connection_string = os.environ["IOTHUB_CONNECTION_STRING"]
    registry = IoTHubRegistryManager.from_connection_string(connection_string)
    message_id = f"{device_id}-{uuid.uuid4()}"
    properties = {
        "messageId": message_id,
        "iothub-ack": "full",
        "expiryTimeUtc": int(time.time() + TIME_TO_LIVE_S) * 1000,
        "priority": "high",
    }
    registry.send_c2d_message(device_id, text, properties)
    print(f"sent {message_id}", flush=True)

    record = feedback(IoTHubHttpRuntimeManager.from_connection_string(connection_string), message_id)
    print(f"{record['statusCode']}: {record['description']}")


def feedback(runtime, message_id):
    """Waits for the report about one message. A hub has one queue of reports: who completes a batch takes all of it."""
    while True:
        # Asked for without `raw`, the package keeps what the hub answers to itself.
        answer = runtime.protocol.cloud_to_device_messages.receive_feedback_notification(raw=True).response
        if answer.status_code == 204:
            time.sleep(1)  # There is none yet, and HTTPS can only ask.
            continue
        runtime.complete_feedback_notification(answer.headers["ETag"].strip('"'))
        for record in answer.json():
            if record["originalMessageId"] == message_id:
                return record


if __name__ == "__main__":
    main(*sys.argv[1:])
