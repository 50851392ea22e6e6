"""What a case is, what it is given, and how all of them are run."""

import itertools
import json
import os
import sys
import threading
import time
import traceback
import urllib.parse
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import azure.iot.device
from azure.iot.device import X509, aio
from azure.iot.device.exceptions import ClientError, ServiceError
from azure.iot.hub import IoTHubRegistryManager
from msrest.exceptions import HttpOperationError

import hub as hub_module
from certificates import Certificate
from hub import Inbox

# Columns of coverage.toml.
MQTT, MQTT_WS, X509_MQTT, SERVICE = "py-mqtt", "py-mqtt-ws", "py-x509", "py-service"
DEVICE = (MQTT, MQTT_WS, X509_MQTT)
SAS = (MQTT, MQTT_WS)
EVENTHUB, EVENTHUB_WS, EVENTHUB_PLAIN = "py-eventhub", "py-eventhub-ws", "py-eventhub-plain"
EVENTHUBS = (EVENTHUB, EVENTHUB_WS, EVENTHUB_PLAIN)
C2D, C2D_WS = "py-c2d", "py-c2d-ws"
CLI_EVENTS, CLI_C2D = "cli-events", "cli-c2d"
V1_SERVICE, V1_C2D = "v1-service", "v1-c2d"
PROTON_EVENTS, PROTON_C2D, PROTON_DEVICE = "proton-events", "proton-c2d", "proton-device"

# Cases at the same time. Most of them wait.
WORKERS = 12

# A case that runs longer is given up.
WATCHDOG_S = 270
# Characters of a value in a failure.
SHOWN_MAX = 2000

_cases = []


@dataclass(frozen=True)
class Case:
    name: str
    column: str
    run: object
    # `drain` or `kill`: runs with the others of its kind, and the hub is restarted once for all of them.
    restart: str = None
    # Waits for a time to pass: started first.
    is_slow: bool = False


def case(name, columns=DEVICE, restart=None, is_slow=False):
    """Makes `name[column]` a case for each column; the function gets a `Context`."""

    def register(run):
        for column in columns:
            _cases.append(Case(f"{name}[{column}]", column, run, restart, is_slow))
        return run

    return register


def equal(found, expected, what="value"):
    if found != expected:
        raise AssertionError(f"{what}: {shown(found)} instead of {shown(expected)}")


def shown(value):
    """A value for people, with its middle left out when it is long."""
    text = repr(value)
    return text if len(text) <= SHOWN_MAX else f"{text[: SHOWN_MAX // 2]} … {text[-SHOWN_MAX // 2 :]}"


def refused(call, error, what="the call"):
    """Calls; returns the `error` that must come of it."""
    try:
        result = call()
    except error as found:
        return found
    raise AssertionError(f"{what} was not refused: {result!r}")


def refused_twin(call, what="the patch"):
    """Calls; the hub must answer with an error, which the SDK hands out as the cause of its own."""
    cause = refused(call, ClientError, what).__cause__
    if not isinstance(cause, ServiceError):
        raise AssertionError(f"{what}: {cause!r} instead of an error of the service")


def refused_http(call, status, code=None):
    """Calls the service SDK; returns the error response that must come of it."""
    response = refused(call, HttpOperationError).response
    equal(response.status_code, status, "status")
    if code is not None:
        equal(response.headers.get("iothub-errorcode"), code, "iothub-errorcode")
    return response


@dataclass
class Identity:
    """A registered device or module and how it proves itself."""

    device_id: str
    module_id: str = None
    key: str = None
    certificate: Certificate = None
    files: tuple = field(default=None, repr=False)

    @property
    def name(self):
        return "/".join(filter(None, (self.device_id, self.module_id)))


class Restarts:
    """Lets the cases of one kind come together for one restart."""

    def __init__(self, hub, manner, parties):
        self._hub, self._manner, self._parties = hub, manner, parties
        self._changed = threading.Condition()
        self._arrived = 0
        self._is_done = False

    def arrive(self):
        """Returns after the restart."""
        with self._changed:
            self._arrived += 1
            self._go_if_all_are_here()
            if not self._changed.wait_for(lambda: self._is_done, timeout=WATCHDOG_S):
                raise AssertionError("the others did not come to the restart")

    def leave(self):
        """A case that ended without coming."""
        with self._changed:
            self._parties -= 1
            self._go_if_all_are_here()

    def _go_if_all_are_here(self):
        if not self._is_done and self._arrived and self._arrived >= self._parties:
            self._hub.restart(self._manner)
            self._is_done = True
            self._changed.notify_all()


class Context:
    """What one case works with; all that it registers and connects is gone after it."""

    _numbers = itertools.count(1)

    def __init__(self, hub, column, restarts=None):
        self.hub, self.column = hub, column
        self._restarts = restarts
        self._has_restarted = False
        self._registered = []
        self._cleanup = ExitStack()
        self.registry = IoTHubRegistryManager.from_connection_string(hub.connection_string())

    # Registering.

    def new_id(self, suffix=""):
        return f"{self.column}-{next(self._numbers)}{suffix}"

    def device(self, suffix="", status="enabled", certificate=None):
        """A new device that proves itself as the column says."""
        device_id = self.new_id(suffix)
        identity = Identity(device_id)
        if self.column == X509_MQTT:
            self._with_certificate(identity, certificate or Certificate(device_id))
            thumbprint = identity.certificate.thumbprint()
            self.registry.create_device_with_x509(device_id, thumbprint, thumbprint, status)
        else:
            # The hub makes the keys.
            created = self.registry.create_device_with_sas(device_id, "", "", status)
            identity.key = created.authentication.symmetric_key.primary_key
        self.forget_later(device_id)
        return identity

    def module(self, device, module_id="module"):
        identity = Identity(device.device_id, module_id)
        if self.column == X509_MQTT:
            self._with_certificate(identity, Certificate(identity.name))
            thumbprint = identity.certificate.thumbprint()
            self.registry.create_module_with_x509(device.device_id, module_id, "", thumbprint, thumbprint)
        else:
            created = self.registry.create_module_with_sas(device.device_id, module_id, "", "", "")
            identity.key = created.authentication.symmetric_key.primary_key
        return identity

    def unregistered(self, device_id=None, module_id=None):
        """An identity that has all but its place in the registry."""
        identity = Identity(device_id or self.new_id("-unknown"), module_id, key="dW5rbm93biBkZXZpY2Uga2V5")
        if self.column == X509_MQTT:
            self._with_certificate(identity, Certificate(identity.name))
        return identity

    def forget_later(self, device_id):
        self._registered.append(device_id)

    def with_certificate(self, identity, certificate):
        """The same identity, proving itself by another certificate."""
        other = Identity(identity.device_id, identity.module_id)
        self._with_certificate(other, certificate)
        return other

    def _with_certificate(self, identity, certificate):
        identity.certificate = certificate
        name = f"certificate-{next(self._numbers)}"
        identity.files = certificate.write(os.environ["IRONHUB_SCRATCH"], name)

    # Connecting.

    def client(self, identity, asynchronous=False, **options):
        """An SDK client over the column's transport, not yet connected. With `sastoken` or `connection_string` it
        proves itself by that, else as the identity does.
        """
        options.setdefault("connection_retry_interval", 1)
        if self.column == MQTT_WS:
            options["websockets"] = True
        package = aio if asynchronous else azure.iot.device
        kind = package.IoTHubModuleClient if identity.module_id else package.IoTHubDeviceClient
        client = self._create(kind, identity, options)
        if not asynchronous:
            self._cleanup.callback(_shut_down, client)
        return client

    def _create(self, kind, identity, options):
        if "sastoken" in options:
            return kind.create_from_sastoken(**options)
        if "connection_string" in options:
            return kind.create_from_connection_string(**options)
        if identity.files is not None:
            names = {"device_id": identity.device_id, "hostname": self.hub.host_name}
            if identity.module_id:
                names["module_id"] = identity.module_id
            return kind.create_from_x509_certificate(x509=X509(*identity.files), **names, **options)
        return kind.create_from_connection_string(self.connection_string(identity), **options)

    def connect(self, identity, **options):
        client = self.client(identity, **options)
        client.connect()
        return client

    def connection_string(self, identity, key=None):
        module = f";ModuleId={identity.module_id}" if identity.module_id else ""
        return (
            f"HostName={self.hub.host_name};DeviceId={identity.device_id}{module};SharedAccessKey={key or identity.key}"
        )

    def token(self, identity, ttl_s):
        """A token of the identity's own that ends after `ttl_s` seconds."""
        audience = f"{self.hub.host_name}/devices/{identity.device_id}"
        if identity.module_id:
            audience += f"/modules/{identity.module_id}"
        return hub_module.token(audience, identity.key, int(time.time()) + ttl_s)

    # Reading and sending, as somebody else than the client of the case.

    @cached_property
    def group(self):
        """A consumer group that no other case reads meanwhile."""
        return self.another_group()

    def another_group(self):
        group = self.hub.groups.get(timeout=WATCHDOG_S)
        self.at_end(self.hub.groups.put, group)
        return group

    def log(self, identity, body, **system):
        """Sends telemetry; returns its event as the log has it."""
        self.hub.send_d2c(identity.device_id, body, identity.module_id, **system)
        return self.events(identity).take()

    # Watching.

    def events(self, identity, source="Telemetry"):
        return self.hub.events.of(identity.device_id, source)

    def feedback(self, identity):
        return self.hub.feedback.of(identity.device_id)

    def connection_states(self, client):
        """`True` and `False` in turn, as the client connects and loses its connection."""
        inbox = Inbox("change of the connection")
        # Of each change the SDK tells only that it was; what the client is may have changed again.
        state = itertools.cycle([not client.connected, client.connected])
        client.on_connection_state_change = lambda: inbox.put(next(state))
        return inbox

    def restart(self):
        self._has_restarted = True
        self._restarts.arrive()

    # Ending.

    def at_end(self, call, *arguments):
        """Calls it when the case is over, the last one first."""
        self._cleanup.callback(_quietly, lambda: call(*arguments))

    def close(self):
        if self._restarts is not None and not self._has_restarted:
            self._restarts.leave()
        self._cleanup.close()
        for device_id in self._registered:
            self.hub.rest("DELETE", f"/devices/{urllib.parse.quote(device_id, safe='')}")


def _shut_down(client):
    """Nobody waits for a client whose hub is gone."""
    thread = threading.Thread(target=_quietly, args=(client.shutdown,), daemon=True)
    thread.start()
    thread.join(5)


def _quietly(call):
    try:
        call()
    except Exception:  # noqa: BLE001: a client that cannot say goodbye has failed its case before.
        pass


class Runner:
    """Runs cases at the same time and writes down what came of each."""

    def __init__(self, hub):
        self._hub = hub
        self._results = open(os.environ["IRONHUB_RESULTS"], "a", encoding="utf-8")
        self._lock = threading.Lock()
        self.failed = 0

    def run_all(self, patterns):
        wanted = [case for case in _cases if not patterns or any(map(_fits(case.name), patterns))]
        together = [case for case in wanted if case.restart is None]
        self._run(sorted(together, key=lambda case: not case.is_slow), WORKERS)
        for manner in ("drain", "kill"):
            group = [case for case in wanted if case.restart == manner]
            if group:
                self._run(group, len(group), Restarts(self._hub, manner, len(group)))

    def _run(self, cases, workers, restarts=None):
        slots = threading.Semaphore(workers)
        watchdogs = []
        for case in cases:
            slots.acquire()
            watchdog = threading.Thread(target=self._watch, args=(case, restarts, slots), daemon=True)
            watchdog.start()
            watchdogs.append(watchdog)
        for watchdog in watchdogs:
            watchdog.join()

    def _watch(self, case, restarts, slots):
        started = time.monotonic()
        outcome = []
        thread = threading.Thread(target=self._run_one, args=(case, restarts, outcome), daemon=True)
        thread.start()
        thread.join(WATCHDOG_S)
        if thread.is_alive():
            where = "".join(traceback.format_stack(sys._current_frames()[thread.ident])[-4:])
            outcome.append(f"still running after {WATCHDOG_S} s\n{where}")
        slots.release()
        self._report(case, outcome[0], int((time.monotonic() - started) * 1000))

    def _run_one(self, case, restarts, outcome):
        context = None
        try:
            context = Context(self._hub, case.column, restarts)
            case.run(context)
            outcome.append("")
        except Exception as error:  # noqa: BLE001: whatever it is, it is the case's outcome.
            outcome.append(_explain(error))
        finally:
            if context is not None:
                _quietly(context.close)

    def _report(self, case, message, ms):
        result = {"case": case.name, "outcome": "failed" if message else "passed", "ms": ms, "message": message}
        with self._lock:
            self.failed += bool(message)
            self._results.write(json.dumps(result) + "\n")
            self._results.flush()
            print(f"{result['outcome']} {case.name} ({ms} ms) {message}", flush=True)


def _explain(error):
    frames = traceback.extract_tb(error.__traceback__)
    frames = [frame for frame in frames if Path(frame.filename).parent.name == "cases"]
    where = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}: " if frames else ""
    cause = f" ({error.__cause__!r})" if error.__cause__ is not None else ""
    kind = "" if isinstance(error, AssertionError) and str(error) else f"{type(error).__name__}: "
    source = f" [{frames[-1].line}]" if frames and not str(error) else ""
    return f"{where}{kind}{error}{source}{cause}"


def _fits(name):
    """`*` stands for any run of characters, every other character for itself."""

    def fits(pattern):
        first, *rest = pattern.split("*")
        if not rest:
            return name == pattern
        if not name.startswith(first):
            return False
        position = len(first)
        for part in rest[:-1]:
            found = name.find(part, position)
            if found < 0:
                return False
            position = found + len(part)
        return name.endswith(rest[-1]) and len(name) - len(rest[-1]) >= position

    return fits
