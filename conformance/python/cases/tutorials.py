"""The programs of `conformance/tutorials`, started as a reader of the tutorials starts them."""

import json
import subprocess
import sys
import threading
from pathlib import Path

from framework import MQTT_WS, SAS, case, equal
from hub import WAIT_S, Inbox

PROGRAMS = Path(__file__).parents[2] / "tutorials"


def run(c, program, *arguments):
    """Runs a back end's program to its end; returns its last line."""
    command = [sys.executable, PROGRAMS / program, c.hub.connection_string(), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=WAIT_S)
    if done.returncode != 0:
        raise AssertionError(f"{program} ended with {done.returncode}:\n{done.stderr}")
    return done.stdout.splitlines()[-1]


def register(c):
    device_id = c.new_id("-tutorial")
    c.forget_later(device_id)
    return device_id, run(c, "register_device.py", device_id)


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
    device_id, connection_string = register(c)
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
