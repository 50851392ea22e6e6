"""The programs of `conformance/tutorials`, started as a reader of the tutorials starts them."""

import json
import subprocess
import sys
import threading
from pathlib import Path

from framework import MQTT_WS, SAS, WATCHDOG_S, case, equal
from hub import Inbox

PROGRAMS = Path(__file__).parents[2] / "tutorials"


def run_all(c, program, *arguments, policy="iothubowner"):
    """Runs a back end's program to its end; returns its lines."""
    command = [sys.executable, PROGRAMS / program, c.hub.connection_string(policy), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=WATCHDOG_S)
    if done.returncode != 0:
        raise AssertionError(f"{program} ended with {done.returncode}:\n{done.stderr}")
    return done.stdout.splitlines()


def run(c, program, *arguments):
    return run_all(c, program, *arguments)[-1]


def register(c):
    """As the program that the first tutorial begins with, which costs a start of Python and the SDK."""
    device = c.device("-tutorial")
    return device.device_id, c.connection_string(device)


class Started:
    """A device's program that runs until the case is over."""

    def __init__(self, c, program, connection_string):
        options = ["--websockets"] if c.column == MQTT_WS else []
        command = [sys.executable, PROGRAMS / program, connection_string, *options]
        self.lines = Inbox(f"line of {program}")
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self._process.stdout:
            self.lines.put(line.rstrip())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.kill()
        self._process.wait()

    def wait_for(self, text):
        while not (line := self.lines.take()).startswith(text):
            pass
        return line


@case("tutorials/wind-speed", columns=SAS)
def wind_speed(c):
    device_id = c.new_id("-tutorial")
    c.forget_later(device_id)
    connection_string = run(c, "register_device.py", device_id)
    with Started(c, "wind_speed.py", connection_string) as program:
        program.wait_for("sent")
        event = c.hub.events.of(device_id).take()
    assert 10 <= event.json["windSpeed"] <= 18, event
    equal(event.properties["storm"], "true" if event.json["windSpeed"] > 14 else "false")


@case("tutorials/wind-speed-of-an-unknown-device", columns=SAS)
def wind_speed_of_an_unknown_device(c):
    device_id, connection_string = register(c)
    c.registry.delete_device(device_id)
    with Started(c, "wind_speed.py", connection_string) as program:
        program.wait_for("azure.iot.device.exceptions.CredentialError")


@case("tutorials/telemetry-interval", columns=SAS)
def telemetry_interval(c):
    device_id, connection_string = register(c)
    with Started(c, "wind_speed.py", connection_string) as program:
        program.wait_for("ready")
        answer = run(c, "call_method.py", device_id, "SetTelemetryInterval", "0.25")
        equal(answer, 'answered 200 {"Response": "every 0.25 s"}')
        events = c.hub.events.of(device_id)
        while events.take().json["interval"] != 0.25:
            pass


@case("tutorials/unknown-method", columns=SAS)
def unknown_method(c):
    device_id, connection_string = register(c)
    with Started(c, "wind_speed.py", connection_string) as program:
        program.wait_for("ready")
        answer = run(c, "call_method.py", device_id, "unknown")
        equal(answer, 'answered 404 {"Response": "there is no method unknown"}')
        answer = run(c, "call_method.py", device_id, "SetTelemetryInterval", '"soon"')
        equal(answer.split()[:2], ["answered", "400"])


@case("tutorials/method-on-an-offline-device", columns=SAS)
def method_on_an_offline_device(c):
    device_id, _ = register(c)
    failed, status, text = run(c, "call_method.py", device_id, "rebootDevice").split(" ", 2)
    code = json.loads(json.loads(text)["Message"])["errorCode"]
    equal((failed, status, code), ("failed", "404", 404103))


@case("tutorials/reboot", columns=SAS)
def reboot(c):
    device_id, connection_string = register(c)
    with Started(c, "reboot_device.py", connection_string) as program:
        program.wait_for("ready")
        equal(run(c, "call_method.py", device_id, "rebootDevice"), 'answered 200 {"Response": "rebooting"}')
        program.wait_for("rebooted")
        last_reboot = run(c, "last_reboot.py", device_id)
    reported = c.registry.get_twin(device_id).properties.reported["rebootTime"]
    equal(last_reboot, f"last reboot {reported}")


@case("tutorials/read-telemetry", columns=SAS)
def read_telemetry(c):
    device_id, connection_string = register(c)
    with Started(c, "wind_speed.py", connection_string) as program:
        program.wait_for("sent")
        lines = run_all(c, "read_telemetry.py", device_id, "2", policy="event_hubs")
    for line in lines:
        body, storm = line.removeprefix("telemetry ").split(" storm ")
        equal(storm, "true" if json.loads(body)["windSpeed"] > 14 else "false")
    equal(len(lines), 2)


@case("tutorials/cloud-to-device", columns=SAS)
def cloud_to_device(c):
    """The device hears it, and the back end hears that it did."""
    device_id, connection_string = register(c)
    message_id = f"message of {device_id}"
    with Started(c, "receive_messages.py", connection_string) as program, c.hub.feedback.read_elsewhere() as hand_out:
        program.wait_for("ready")
        answer = run(c, "send_message.py", device_id, message_id, "hello", "", "color=blue", "size=12")
        equal(answer, f"sent {message_id}")
        text = program.wait_for("received").removeprefix("received ")
        records = feedback_about(c, hand_out, message_id)
    equal(json.loads(text)["data"], "hello")
    properties = {name: value for name, value in json.loads(text)["properties"].items() if name[0] != "$"}
    equal((json.loads(text)["id"], properties), (message_id, {"color": "blue", "size": "12"}))
    equal([record["statusCode"] for record in records], ["Success"])


@case("tutorials/cloud-to-device-in-vain", columns=SAS, is_slow=True)
def cloud_to_device_in_vain(c):
    device_id, _ = register(c)
    message_id = f"message of {device_id}"
    with c.hub.feedback.read_elsewhere() as hand_out:
        equal(run(c, "send_message.py", device_id, message_id, "too late", "2"), f"sent {message_id}")
        records = feedback_about(c, hand_out, message_id)
    equal([record["statusCode"] for record in records], ["Expired"])
    c.registry.delete_device(device_id)
    answer = run(c, "send_message.py", device_id, message_id, "to nobody")
    equal(answer.split()[0], "refused")


def feedback_about(c, hand_out, message_id):
    records = [json.loads(line) for line in run_all(c, "read_feedback.py", message_id)]
    hand_out(records)
    return [record for record in records if record["originalMessageId"] == message_id]
