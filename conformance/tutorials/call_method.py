"""Calls a direct method and prints the device's answer, or why there is none."""

import json
import sys

from azure.iot.hub import IoTHubRegistryManager
from azure.iot.hub.models import CloudToDeviceMethod
from msrest.exceptions import HttpOperationError


def main(service_connection_string, device_id, name, payload="null"):
    registry = IoTHubRegistryManager.from_connection_string(service_connection_string)
    method = CloudToDeviceMethod(method_name=name, payload=json.loads(payload), response_timeout_in_seconds=30)
    try:
        result = registry.invoke_device_method(device_id, method)
    except HttpOperationError as error:
        print("failed", error.response.status_code, error.response.text)
    else:
        print("answered", result.status, json.dumps(result.payload))


if __name__ == "__main__":
    main(*sys.argv[1:])
