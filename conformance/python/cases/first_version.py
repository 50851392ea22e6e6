"""The service clients of the first Python package and of C, which no registry carries any more, and which back ends
still run. Their AMQP is that of uamqp: here it has the same conversation. What they ask over HTTPS is spelt out.
"""

import json
import time
import urllib.parse
from contextlib import contextmanager

import uamqp
from azure.iot.device import MethodResponse
from uamqp.authentication import SASLPlain
from uamqp.constants import MessageReceiverState, MessageSenderState, MessageSendResult

import hub as hub_module
from cases.c2d import listening
from framework import V1_C2D, V1_SERVICE, case, equal
from hub import WAIT_S

COLUMNS = (V1_C2D,)
VERSIONS = ("2016-02-03", "2016-11-14", "2018-06-30", "2019-03-30")


class Messaging:
    """One connection and one session with a link to send C2D messages and one for feedback, opened together."""

    def __init__(self, c, policy="service", key=None):
        host = c.hub.host_name
        expires_at = int(time.time()) + 31_536_000
        token = hub_module.token(host, key or c.hub.policy_key(policy), expires_at, policy)
        user = f"{policy}@sas.root.{host.split('.')[0]}"
        self._sasl = SASLPlain(host, user, token)
        self._connection = uamqp.Connection(host, self._sasl, container_id="some")
        self._session = uamqp.Session(self._connection, incoming_window=2_147_483_647, outgoing_window=255 * 1024)
        target = uamqp.address.Target(f"amqps://{host}/messages/deviceBound")
        source = uamqp.address.Source(f"amqps://{host}/messages/serviceBound/feedback")
        self.sender = uamqp.MessageSender(self._session, "ingress", target, name="sender-link")
        self.records = []
        self.receiver = uamqp.MessageReceiver(self._session, source, "ingress-rx", self._receive, name="receiver-link")

    def _receive(self, message):
        self.records.extend(json.loads(b"".join(message.get_data())))
        return uamqp.errors.MessageAccepted()

    def open(self):
        self.receiver.open()
        self.sender.open()
        self.work_until(
            lambda: self.sender.get_state() == MessageSenderState.Open
            and self.receiver.get_state() == MessageReceiverState.Open
        )

    def send(self, device_id, body, message_id, properties=None, **system):
        """The result."""
        about = uamqp.message.MessageProperties(message_id=message_id, **system)
        about.to = f"/devices/{device_id}/messages/devicebound"
        message = uamqp.Message(body=body, properties=about, application_properties=properties or {})
        results = []
        self.sender.send(message, lambda message, result, delivery_state=None: results.append(result))
        self.work_until(lambda: results)
        return MessageSendResult(results[0])

    def work_until(self, condition):
        deadline = time.monotonic() + WAIT_S
        while not condition():
            self.sender.work()
            self.receiver.work()
            self._connection.work()
            if time.monotonic() > deadline:
                raise AssertionError(f"not within {WAIT_S} s")

    def close(self):
        self.sender.destroy()
        self.receiver.destroy()
        self._session.destroy()
        self._connection.destroy()


@contextmanager
def messaging(c, **proof):
    client = Messaging(c, **proof)
    try:
        client.open()
        yield client
    finally:
        client.close()


@case("v1/send-and-feedback", COLUMNS)
def send_and_feedback(c):
    device = c.device()
    _, inbox = listening(c, device)
    with c.hub.feedback.read_elsewhere() as hand_out, messaging(c) as client:
        properties = {"iothub-ack": "full", "Property": "PropMsg_0"}
        result = client.send(device.device_id, b"x", "message_0", properties, correlation_id="correlation_0")
        equal(result, MessageSendResult.Ok)
        client.work_until(lambda: any(record["deviceId"] == device.device_id for record in client.records))
        hand_out(client.records)
        found = [record for record in client.records if record["deviceId"] == device.device_id]
    message = inbox.take()
    equal((message.message_id, message.correlation_id), ("message_0", "correlation_0"))
    equal(message.custom_properties["Property"], "PropMsg_0")
    # The C client looks at the description, in lower case.
    told = [(record["originalMessageId"], record["description"].lower()) for record in found]
    equal(told, [("message_0", "success")])


@case("v1/refused", COLUMNS)
def refused(c):
    device = c.device()
    with c.hub.feedback.read_elsewhere() as hand_out, messaging(c) as client:
        equal(client.send(c.new_id("-unknown"), b"x", "m"), MessageSendResult.Error)
        for number in range(50):
            equal(client.send(device.device_id, b"x", str(number)), MessageSendResult.Ok)
        equal(client.send(device.device_id, b"x", "one too many"), MessageSendResult.Error)
        hand_out(client.records)


@case("v1/without-a-right", COLUMNS, is_slow=True)
def without_a_right(c):
    for proof in ({"policy": "registryReadWrite"}, {"key": c.hub.policy_key("device")}):
        try:
            with messaging(c, **proof):
                is_open = True
        except (AssertionError, uamqp.errors.AMQPError, ValueError):
            is_open = False
        equal(is_open, False, f"{proof}")


def ask(c, version, method, path, expect, body=None, **headers):
    """As the C clients do: JSON text, and a token of their own."""
    headers = {"Accept": "application/json", "Content-Type": "application/json; charset=utf-8", **headers}
    data = None if body is None else json.dumps(body)
    answer = c.hub.rest(method, path, expect=expect, data=data, headers=headers, params={"api-version": version})
    return answer.json() if answer.content else None


@case("v1/registry", (V1_SERVICE,))
def registry(c):
    for version in VERSIONS:
        device_id = c.new_id()
        c.forget_later(device_id)
        path = f"/devices/{urllib.parse.quote(device_id, safe='')}"
        keys = {"primaryKey": "", "secondaryKey": ""}
        body = {"deviceId": device_id, "status": "enabled", "authentication": {"symmetricKey": keys}}
        created = ask(c, version, "PUT", path, 200, body)
        assert created["authentication"]["symmetricKey"]["primaryKey"], created
        found = ask(c, version, "GET", path, 200)
        equal((found["deviceId"], found["generationId"]), (device_id, created["generationId"]))
        equal((found["connectionState"], found["cloudToDeviceMessageCount"]), ("Disconnected", 0))
        body["status"] = "disabled"
        equal(ask(c, version, "PUT", path, 200, body, **{"If-Match": '"*"'})["status"], "disabled")
        assert any(device["deviceId"] == device_id for device in ask(c, version, "GET", "/devices/?top=1000", 200))
        assert ask(c, version, "GET", "/statistics/devices", 200)["totalDeviceCount"] > 0
        ask(c, version, "PUT", path, 409, {"deviceId": device_id})
        ask(c, version, "DELETE", path, 204, **{"If-Match": "*"})
        ask(c, version, "GET", path, 404)


@case("v1/twin-and-method", (V1_SERVICE,))
def twin_and_method(c):
    device = c.device()
    client = c.connect(device)

    def answer(request):
        client.send_method_response(MethodResponse.create_from_method_request(request, 200, {"heard": request.payload}))

    client.on_method_request_received = answer
    for version in VERSIONS[1:]:
        twin = ask(c, version, "PATCH", f"/twins/{device.device_id}", 200, {"properties": {"desired": {"of": version}}})
        equal(twin["properties"]["desired"]["of"], version)
        equal(ask(c, version, "GET", f"/twins/{device.device_id}", 200)["deviceId"], device.device_id)
        call = {"methodName": "reboot", "timeout": 60, "responseTimeoutInSeconds": 30, "payload": {"in": 5}}
        path = f"/twins/{device.device_id}/methods"
        found = ask(c, version, "POST", path, 200, {**call, "connectTimeoutInSeconds": 10})
        equal(found, {"status": 200, "payload": {"heard": {"in": 5}}})
    ask(c, VERSIONS[1], "POST", f"/twins/{c.new_id('-unknown')}/methods", 404, call)
