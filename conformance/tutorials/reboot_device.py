"""A device that can be rebooted from afar and reports when it was."""

import datetime
import sys
import threading

from azure.iot.device import IoTHubDeviceClient, MethodResponse

REBOOT_S = 0.5


def main(connection_string, *options):
    client = IoTHubDeviceClient.create_from_connection_string(connection_string, websockets="--websockets" in options)

    def reboot():
        threading.Event().wait(REBOOT_S)
        client.patch_twin_reported_properties({"rebootTime": datetime.datetime.now().isoformat()})
        print("rebooted", flush=True)

    def answer(request):
        if request.name == "rebootDevice":
            status, payload = 200, {"Response": "rebooting"}
            threading.Thread(target=reboot).start()
        else:
            status, payload = 404, {"Response": f"there is no method {request.name}"}
        client.send_method_response(MethodResponse.create_from_method_request(request, status, payload))

    client.on_method_request_received = answer
    print("ready", flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
