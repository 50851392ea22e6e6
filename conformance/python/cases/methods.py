"""Direct methods: called through the service SDK, answered by the device SDK."""

import json
from concurrent.futures import ThreadPoolExecutor

from azure.iot.device import MethodResponse
from azure.iot.hub.models import CloudToDeviceMethod

from framework import DEVICE, SERVICE, case, equal, refused_http
from hub import Inbox


def call(c, identity, name, payload=None, **times):
    """Calls by the service SDK."""
    method = CloudToDeviceMethod(method_name=name, payload=payload, **times)
    if identity.module_id:
        return c.registry.invoke_device_module_method(identity.device_id, identity.module_id, method)
    return c.registry.invoke_device_method(identity.device_id, method)


def call_raw(c, identity, body, **options):
    """Calls with a body that the service SDK would not send."""
    return c.hub.rest("POST", f"/twins/{identity.device_id}/methods", policy="service", json=body, **options)


def answering(c, identity, answer):
    """A connected client whose method handler is `answer(request) -> (status, payload)`."""
    client = c.connect(identity)
    calls = Inbox("method call")

    def handle(request):
        calls.put(request)
        status, payload = answer(request)
        client.send_method_response(MethodResponse.create_from_method_request(request, status, payload))

    client.on_method_request_received = handle
    return client, calls


def echo(request):
    return (200, request.payload) if request.name == "echo" else (404, {"error": f"no method {request.name}"})


@case("methods/call")
def called(c):
    device = c.device()
    _, calls = answering(c, device, lambda request: (201, {"heard": request.payload}))
    result = call(c, device, "reboot", {"in": 5})
    equal((result.status, result.payload), (201, {"heard": {"in": 5}}))
    request = calls.take()
    equal((request.name, request.payload, request.request_id), ("reboot", {"in": 5}, "1"))


@case("methods/payloads")
def payloads(c):
    device = c.device()
    answering(c, device, echo)
    for payload in ("text", "", 0, -1.5, True, [1, [2]], {}, {"ümläut": "☂"}, {"deep": {"er": [None]}}):
        answer = call_raw(c, device, {"methodName": "echo", "payload": payload}, expect=200).json()
        equal(answer, {"status": 200, "payload": payload})


@case("methods/null-and-no-payload")
def null_and_no_payload(c):
    device = c.device()
    _, calls = answering(c, device, lambda request: (200, None))
    for body in ({"methodName": "m", "payload": None}, {"methodName": "m"}):
        answer = call_raw(c, device, body, expect=200).json()
        equal((answer, calls.take().payload), ({"status": 200, "payload": None}, None))


@case("methods/status-is-the-device's")
def status_is_the_devices(c):
    device = c.device()
    answering(c, device, lambda request: (int(request.name), None))
    for status in (200, 0, 500, 12345, -1):
        equal(call(c, device, str(status)).status, status)


@case("methods/unknown-method")
def unknown_method(c):
    device = c.device()
    answering(c, device, echo)
    result = call(c, device, "unknown")
    equal((result.status, result.payload), (404, {"error": "no method unknown"}))


@case("methods/offline")
def offline(c):
    device = c.device()
    response = refused_http(lambda: call(c, device, "echo"), 404, "DeviceNotOnline")
    equal(json.loads(response.json()["Message"])["errorCode"], 404103)


@case("methods/not-subscribed")
def not_subscribed(c):
    device = c.device()
    client = c.connect(device)
    refused_http(lambda: call(c, device, "echo"), 404, "DeviceNotOnline")
    client.on_method_request_received = lambda request: client.send_method_response(
        MethodResponse.create_from_method_request(request, 200, None)
    )
    equal(call(c, device, "echo").status, 200)
    client.on_method_request_received = None
    refused_http(lambda: call(c, device, "echo"), 404, "DeviceNotOnline")


@case("methods/no-answer-in-time", is_slow=True)
def no_answer_in_time(c):
    device = c.device()
    client = c.connect(device)
    calls = Inbox("method call")
    client.on_method_request_received = calls.put
    response = refused_http(lambda: call(c, device, "slow", response_timeout_in_seconds=5), 504, "GatewayTimeout")
    equal(json.loads(response.json()["Message"])["errorCode"], 504101)
    # The answer that comes too late harms nobody.
    client.send_method_response(MethodResponse.create_from_method_request(calls.take(), 200, "late"))
    with ThreadPoolExecutor(1) as pool:
        second = pool.submit(call, c, device, "second")
        client.send_method_response(MethodResponse.create_from_method_request(calls.take(), 200, "in time"))
        equal(second.result().payload, "in time")


@case("methods/many-in-flight")
def many_in_flight(c):
    device = c.device()
    client = c.connect(device)
    calls = Inbox("method call")
    client.on_method_request_received = calls.put
    with ThreadPoolExecutor(40) as pool:
        results = [pool.submit(call, c, device, "m", number) for number in range(40)]
        # Answered from the last to the first: each caller gets its own answer.
        for request in reversed(calls.take_many(40)):
            client.send_method_response(MethodResponse.create_from_method_request(request, 200, request.payload))
        equal([result.result().payload for result in results], list(range(40)))


@case("methods/cut-while-waiting")
def cut_while_waiting(c):
    device = c.device()
    client = c.client(device, connection_retry=False, auto_connect=False)
    client.connect()
    calls = Inbox("method call")
    client.on_method_request_received = calls.put
    with ThreadPoolExecutor(1) as pool:
        result = pool.submit(lambda: refused_http(lambda: call(c, device, "m"), 404))
        calls.take()
        client.disconnect()
        assert result.result().headers["iothub-errorcode"] != "DeviceNotFound"


@case("methods/module")
def module(c):
    device = c.device()
    module = c.module(device)
    answering(c, module, echo)
    equal(call(c, module, "echo", {"for": "the module"}).payload, {"for": "the module"})
    refused_http(lambda: call(c, device, "echo"), 404, "DeviceNotOnline")


@case("methods/module-offline")
def module_offline(c):
    module = c.module(c.device())
    refused_http(lambda: call(c, module, "echo"), 404, "DeviceNotOnline")
    unknown = c.unregistered(module.device_id, "unknown")
    refused_http(lambda: call(c, unknown, "echo"), 404, "ModuleNotFound")


# The caller's side.


@case("methods/invoke", columns=(SERVICE,))
def invoke(c):
    device = c.device()
    answering(c, device, echo)
    result = call(c, device, "echo", "text", response_timeout_in_seconds=30, connect_timeout_in_seconds=0)
    equal((result.status, result.payload), (200, "text"))


@case("methods/invoke-errors", columns=(SERVICE,))
def invoke_errors(c):
    device = c.device()
    unknown = refused_http(lambda: call(c, c.unregistered(), "m"), 404, "DeviceNotFound")
    equal(json.loads(unknown.json()["Message"])["errorCode"], 404001)
    offline = refused_http(lambda: call(c, device, "m"), 404, "DeviceNotOnline")
    equal(json.loads(offline.json()["Message"])["errorCode"], 404103)
    refused_http(lambda: call(c, device, "m", "x" * (128 * 1024 + 1)), 413, "MessageTooLarge")
    for name, times in (
        ("m", {"response_timeout_in_seconds": 4}),
        ("m", {"response_timeout_in_seconds": 301}),
        ("m", {"connect_timeout_in_seconds": 301}),
        ("not a name", {}),
        ("", {}),
    ):
        refused_http(lambda name=name, times=times: call(c, device, name, **times), 400)


@case("methods/waits-for-the-device", columns=(*DEVICE, SERVICE))
def waits_for_the_device(c):
    device = c.device()
    with ThreadPoolExecutor(1) as pool:
        result = pool.submit(call, c, device, "echo", "patience", connect_timeout_in_seconds=20)
        # The event of the call: the device is looked for before it connects.
        assert not result.done()
        answering(c, device, echo)
        equal(result.result().payload, "patience")


@case("methods/waits-in-vain", columns=(SERVICE,))
def waits_in_vain(c):
    device = c.device()
    refused_http(lambda: call(c, device, "echo", connect_timeout_in_seconds=1), 404, "DeviceNotOnline")
