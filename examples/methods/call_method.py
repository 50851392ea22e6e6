"""A back end that calls a direct method and prints the device's answer.

Usage: call_method.py <device ID> <method> [payload, as JSON]
"""

import json
import os
import sys

from azure.iot.hub import IoTHubRegistryManager
from azure.iot.hub.models import CloudToDeviceMethod
from msrest.exceptions import HttpOperationError


def main(device_id, method, payload="null"):
    registry = IoTHubRegistryManager.from_connection_string(os.environ["IOTHUB_CONNECTION_STRING"])
    call = CloudToDeviceMethod(method_name=method, payload=json.loads(payload), response_timeout_in_seconds=30)
    try:
        answer = registry.invoke_device_method(device_id, call)
    except HttpOperationError as error:
        sys.exit(f"the hub refused the call: {error.response.text}")
    print(answer.status, json.dumps(answer.payload))


if __name__ == "__main__":
    main(*sys.argv[1:])
