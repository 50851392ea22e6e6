"""The tutorials of `examples/`, with device and back end in different languages. A tutorial's page shows what its
programs print; here they are run with the arguments that stand there and must print what stands there.
"""

import itertools
import os
import re
import shlex
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

from framework import WATCHDOG_S, Runner, case, equal
from hub import Hub, Inbox

EXAMPLES = Path(__file__).parents[2] / "examples"

# The language of the device's programs, that of the back end's.
COMBINATIONS = ("rust-rust", "rust-python", "python-rust")

# The device's name on the pages.
DEVICE = "wind-1"

# Stands on the pages for what is different each time.
ANYTHING = "…"


@dataclass(frozen=True)
class Tutorial:
    """One page and its programs in one combination of languages."""

    c: object
    name: str
    device_id: str
    connection_string: str = None

    def device(self, command):
        return self._start(command, self.c.column.split("-")[0])

    def back_end(self, command):
        return self._start(command, self.c.column.split("-")[1])

    def _start(self, command, language):
        """Runs the first command of the page that begins like this."""
        page = (EXAMPLES / self.name / "README.md").read_text(encoding="utf-8")
        shown = re.search(rf"^```text\n\$ ({re.escape(command)}.*)\n((?:.*\n)*?)```$", page, re.MULTILINE)
        if shown is None:
            raise AssertionError(f"the page of {self.name} does not show what {command!r} prints")
        program, *arguments = shlex.split(self._named(shown[1]))
        expected = self._named(shown[2]).splitlines()
        if language == "rust":
            command = [Path(os.environ["IRONHUB_BIN"]).with_name(program)]
        else:
            command = [sys.executable, EXAMPLES / self.name / f"{program}.py"]
        return Program(program, [*command, *arguments], expected, self._environment())

    def _named(self, text):
        return text.replace(DEVICE, self.device_id)

    def _environment(self):
        variables = {
            "RUST_BACKTRACE": "0",
            "IOTHUB_CONNECTION_STRING": self.c.hub.connection_string(),
            "EVENTHUB_CONNECTION_STRING": self.c.hub.connection_string("event_hubs"),
        }
        if self.connection_string:
            variables["IOTHUB_DEVICE_CONNECTION_STRING"] = self.connection_string
        return {**os.environ, **variables}


class Program:
    """A program that runs, and the lines that it has to print."""

    def __init__(self, name, command, expected, environment):
        self._name, self._expected = name, iter(expected)
        self._process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
        )
        self._lines = Inbox(f"line of {name}")
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self._process.stdout:
            self._lines.put(line.rstrip())
        self._lines.put(None)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.kill()
        self._process.wait()

    def print_lines(self, count):
        """Waits for the next lines that the page shows; returns them."""
        return [self._check(expected) for expected in itertools.islice(self._expected, count)]

    def end(self, status=0):
        """Waits for the rest of what the page shows and for the program's end; returns the lines."""
        lines = [self._check(expected) for expected in self._expected]
        equal(self._lines.take(), None, f"{self._name}, after its last line")
        equal(self._process.wait(WATCHDOG_S), status, f"status of {self._name}")
        return lines

    def _check(self, expected):
        line = self._lines.take()
        pattern = ".*".join(map(re.escape, _squeezed(expected).split(ANYTHING)))
        if line is None or not re.fullmatch(pattern, _squeezed(line)):
            raise AssertionError(f"{self._name} prints {line!r}; its page shows {expected!r}{self._rest(line)}")
        return line

    def _rest(self, line):
        """What else it has to say, a traceback perhaps."""
        self._process.kill()
        rest = [] if line is None else list(iter(self._lines.take, None))
        return "".join(f"\n{line}" for line in rest)


def _squeezed(line):
    """Each language writes JSON with spaces of its own."""
    return re.sub(r"\s", "", line)


def new_device(c, tutorial):
    """The tutorial with a device that is registered, which only the first one shows."""
    device = c.device()
    return Tutorial(c, tutorial, device.device_id, c.connection_string(device))


@case("examples/telemetry", columns=COMBINATIONS)
def telemetry(c):
    device_id = c.new_id("-wind")
    c.forget_later(device_id)
    with Tutorial(c, "telemetry", device_id).back_end("create_device") as program:
        (connection_string,) = program.end()
    tutorial = Tutorial(c, "telemetry", device_id, connection_string)
    with tutorial.back_end("read_telemetry") as reader:
        reader.print_lines(1)
        with tutorial.device("send_telemetry") as sender:
            sender.end()
        reader.end()
    found = [(event.json["windSpeed"], event.properties["storm"]) for event in c.hub.events.of(device_id).take_many(3)]
    equal(found, [(15.0, "true"), (15.5, "true"), (10.8, "false")])


@case("examples/create-device-again", columns=("rust-rust", "rust-python"))
def create_device_again(c):
    """Who registers a device twice gets the same key twice."""
    device = c.device()
    with Tutorial(c, "telemetry", device.device_id).back_end("create_device") as program:
        equal(program.end(), [c.connection_string(device)])


@case("examples/methods", columns=COMBINATIONS)
def methods(c):
    tutorial = new_device(c, "methods")
    with tutorial.device("answer_methods") as device:
        device.print_lines(1)
        for call in ("call_method wind-1 sing", "call_method wind-1 writeLine 7", "call_method"):
            with tutorial.back_end(call) as back_end:
                back_end.end()
        device.end()
    with tutorial.back_end("call_method wind-1 writeLine '\"is anybody there?\"'") as back_end:
        back_end.end(status=1)


@case("examples/control", columns=COMBINATIONS)
def control(c):
    tutorial = new_device(c, "control")
    with tutorial.device("weather_station") as station:
        station.print_lines(2)
        # The station would send its next message in an hour.
        with tutorial.back_end("set_interval") as back_end:
            back_end.end()
        station.end()
    found = [event.json["interval"] for event in c.hub.events.of(tutorial.device_id).take_many(3)]
    equal(found, [3600, 1, 1])


@case("examples/device-management", columns=COMBINATIONS)
def device_management(c):
    tutorial = new_device(c, "device-management")
    with tutorial.device("rebooting_device") as device:
        device.print_lines(1)
        with tutorial.back_end("reboot_device") as back_end:
            *_, last_reboot = back_end.end()
        *_, rebooted_at = device.end()
    reported = c.registry.get_twin(tutorial.device_id).properties.reported["rebootTime"]
    equal((last_reboot, rebooted_at), (f"last reboot: {reported}", f"rebooted at {reported}"))


@case("examples/c2d", columns=COMBINATIONS)
def c2d(c):
    tutorial = new_device(c, "c2d")
    # A hub has one queue of feedback: one reader at a time.
    with tutorial.device("receive_messages") as device, c.hub.feedback.read_elsewhere():
        device.print_lines(1)
        with tutorial.back_end("send_message") as back_end:
            back_end.end()
        device.end()


@case("examples/requirements", columns=("python-rust",))
def requirements(_):
    """Readers are told to install the packages that have been tested."""
    tested = (Path(__file__).parent / "requirements.txt").read_text(encoding="utf-8").splitlines()
    told = (EXAMPLES / "requirements.txt").read_text(encoding="utf-8").splitlines()
    equal([line for line in told if line not in tested], [])


def main():
    runner = Runner(Hub())
    runner.run_all(os.environ.get("IRONHUB_CASES", "").splitlines())
    return 1 if runner.failed else 0


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    # Without waiting for the threads of clients that do not end.
    os._exit(status)
