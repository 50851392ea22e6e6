"""The running hub as the suite sees it: its ready file, its REST API, its events and feedback, its restart."""

import base64
import hashlib
import hmac
import json
import os
import queue
import threading
import time
import urllib.parse
from collections import defaultdict
from contextlib import contextmanager
from pathlib import Path

import requests

API_VERSION = "2021-04-12"

# A name by which the hub knows itself, too (see suites.toml), and which leads nowhere.
ALIAS = "hub.example.test"

# Longest wait for something that must come. What does come, comes in milliseconds; but azure-eventhub over WebSocket
# waits for a second of its own at many steps, and longer when many cases run at the same time.
WAIT_S = 120

# Feedback over HTTPS has to be asked for; there is nothing to wait on.
FEEDBACK_POLL_S = 0.1


class Inbox(queue.Queue):
    """What came in, in order."""

    def __init__(self, what):
        super().__init__()
        self.what = what

    def take(self, within=WAIT_S):
        try:
            return self.get(timeout=within)
        except queue.Empty:
            raise AssertionError(f"no {self.what} within {within} s") from None

    def take_many(self, count, within=WAIT_S):
        return [self.take(within) for _ in range(count)]

    def require_empty(self):
        """Only after something later has come in by the same way."""
        if not self.empty():
            raise AssertionError(f"one {self.what} too many: {self.get_nowait()!r}")


class Event:
    """One event of the log, as `GET /ironhub/v1/events` prints it."""

    def __init__(self, line):
        self.partition = line["partition"]
        self.sequence_number = line["sequenceNumber"]
        self.source = line["source"]
        self.device_id = line["deviceId"]
        self.module_id = line.get("moduleId")
        # The sender's standard properties by their AMQP names, and the hub's annotations.
        self.system = line["systemProperties"]
        self.properties = line["properties"]
        self._body, self._encoding = line["body"], line["bodyEncoding"]

    @property
    def body(self):
        """Bytes of a body that is not shown as JSON."""
        if self._encoding == "base64":
            return base64.b64decode(self._body)
        if self._encoding == "utf-8":
            return self._body.encode()
        raise AssertionError(f"a body in the form {self._encoding}: {self._body!r}")

    @property
    def json(self):
        """The value of a body that is shown as JSON."""
        if self._encoding != "json":
            raise AssertionError(f"a body in the form {self._encoding}: {self._body!r}")
        return self._body

    def __repr__(self):
        return f"Event({self.source}, {self._body!r}, {self.properties!r})"


class Hub:
    def __init__(self):
        self._ready = {}
        self.reload()
        self.host_name = self._ready["host_name"]
        self.ca_file = self._ready["ca_file"]
        self._restart_file = Path(os.environ["IRONHUB_RESTART"])
        self.events = Events(self)
        self.feedback = Feedback(self)
        # Consumer groups that nobody reads just now.
        self.groups = queue.Queue()

    def reload(self):
        self._ready = json.loads(Path(os.environ["IRONHUB_READY_FILE"]).read_text())

    def connection_string(self, policy="iothubowner"):
        return self._ready["connection_strings"][policy]

    def event_hubs_connection_string(self, policy="service", key=None):
        """Of the built-in endpoint: the hub's own, with the name and key of this policy."""
        parts = _parts(self.connection_string("event_hubs"))
        parts["SharedAccessKeyName"] = policy
        parts["SharedAccessKey"] = key or self.policy_key(policy)
        return ";".join(f"{name}={value}" for name, value in parts.items())

    @property
    def event_hub_name(self):
        return _parts(self.connection_string("event_hubs"))["EntityPath"]

    def policy_key(self, policy):
        return _parts(self.connection_string(policy))["SharedAccessKey"]

    def policy_token(self, policy="iothubowner", ttl_s=3600):
        return token(self.host_name, self.policy_key(policy), int(time.time()) + ttl_s, policy)

    def rest(self, method, path, policy="iothubowner", expect=None, **options):
        """One request; `expect` names the only good status."""
        headers = {"Authorization": self.policy_token(policy), **options.pop("headers", {})}
        query = {} if path.startswith("/ironhub/") else {"api-version": API_VERSION}
        query.update(options.pop("params", {}))
        url = f"https://{self.host_name}{path}"
        options = {"timeout": 60, "verify": self.ca_file, **options}
        answer = requests.request(method, url, headers=headers, params=query, **options)
        if expect is not None and answer.status_code != expect:
            raise AssertionError(f"{method} {path}: {answer.status_code} instead of {expect}: {answer.text}")
        return answer

    def send_c2d(self, device_id, body, expect=204, **system):
        """`system`: messageid, correlationid, ack, expiry, …; `app` holds the application properties."""
        headers = {f"iothub-app-{name}": value for name, value in system.pop("app", {}).items()}
        headers.update({f"iothub-{name}": value for name, value in system.items()})
        path = f"/devices/{urllib.parse.quote(device_id, safe='')}/messages/deviceBound"
        return self.rest("POST", path, policy="service", data=body, headers=headers, expect=expect)

    def send_d2c(self, device_id, body, module_id=None, app=None, **system):
        """Telemetry as a device would send it over HTTPS; for cases about those who read it."""
        headers = {f"iothub-app-{name}": value for name, value in (app or {}).items()}
        headers.update({f"iothub-{name}": value for name, value in system.items()})
        module = f"/modules/{module_id}" if module_id else ""
        path = f"/devices/{urllib.parse.quote(device_id, safe='')}{module}/messages/events"
        self.rest("POST", path, data=body, headers=headers, expect=204)

    def send_d2c_batch(self, device_id, bodies):
        batch = [{"body": base64.b64encode(body).decode()} for body in bodies]
        path = f"/devices/{urllib.parse.quote(device_id, safe='')}/messages/events"
        headers = {"Content-Type": "application/vnd.microsoft.iothub.json"}
        self.rest("POST", path, data=json.dumps(batch), headers=headers, expect=204)

    def change_settings(self, change):
        """Lets `change` alter the settings document; repeats when somebody else was first."""
        while True:
            found = self.rest("GET", "/ironhub/v1/settings", expect=200)
            settings = found.json()
            change(settings)
            headers = {"If-Match": found.headers["ETag"]}
            answer = self.rest("PUT", "/ironhub/v1/settings", json=settings, headers=headers)
            if answer.status_code == 412:
                continue
            if not answer.ok:
                raise AssertionError(f"settings: {answer.status_code}: {answer.text}")
            return

    def restart(self, manner):
        """Has the runner end the hub (`drain` or `kill`) and start it again; returns when it listens."""
        self._restart_file.write_text(manner)
        deadline = time.monotonic() + 60
        while self._restart_file.exists():
            if time.monotonic() > deadline:
                raise AssertionError("the hub was not restarted within 60 s")
            time.sleep(0.02)  # The runner answers by a file.
        self.reload()


def _parts(connection_string):
    return dict(part.split("=", 1) for part in connection_string.split(";"))


def token(audience, key, expires_at, policy=None):
    """A SAS token for `audience`, not yet encoded."""
    resource = urllib.parse.quote(audience, safe="")
    digest = hmac.new(base64.b64decode(key), f"{resource}\n{expires_at}".encode(), hashlib.sha256).digest()
    signature = urllib.parse.quote(base64.b64encode(digest), safe="")
    text = f"SharedAccessSignature sr={resource}&sig={signature}&se={expires_at}"
    return text + (f"&skn={policy}" if policy else "")


class Events:
    """All events of the hub, read once from the beginning and handed out by device and source."""

    def __init__(self, hub):
        self._hub = hub
        self._inboxes = defaultdict(lambda: Inbox("event"))
        self._lock = threading.Lock()
        self._next = {}
        self._started = False

    def of(self, device_id, source="Telemetry"):
        with self._lock:
            if not self._started:
                self._started = True
                threading.Thread(target=self._follow, daemon=True).start()
            return self._inboxes[device_id, source]

    def _follow(self):
        while True:
            try:
                self._read()
            except (requests.RequestException, OSError):
                time.sleep(0.1)  # The hub restarts.

    def _read(self):
        answer = requests.get(
            f"https://{self._hub.host_name}/ironhub/v1/events",
            params={"from": "earliest", "follow": "true"},
            headers={"Authorization": self._hub.policy_token("service"), "Accept": "application/x-ndjson"},
            verify=self._hub.ca_file,
            stream=True,
            timeout=(5, None),
        )
        answer.raise_for_status()
        rest = b""
        # As they come, whatever their size.
        for chunk in answer.iter_content(chunk_size=None):
            *lines, rest = (rest + chunk).split(b"\n")
            for line in filter(None, lines):
                self._hand_out(Event(json.loads(line)))

    def _hand_out(self, event):
        # After a restart everything is read again: each event is handed out once.
        if event.sequence_number < self._next.get(event.partition, 0):
            return
        self._next[event.partition] = event.sequence_number + 1
        with self._lock:
            self._inboxes[event.device_id, event.source].put(event)


class Feedback:
    """What became of C2D messages, by device."""

    def __init__(self, hub):
        self._hub = hub
        self._inboxes = defaultdict(lambda: Inbox("feedback record"))
        self._lock = threading.Lock()
        # Held by whoever reads feedback: each record is told once in the whole hub.
        self._reading = threading.Lock()
        self._started = False

    @contextmanager
    def read_elsewhere(self):
        """Nobody else reads meanwhile; gives what takes all records that are read."""
        with self._reading:
            yield self._hand_out

    def of(self, device_id):
        with self._lock:
            if not self._started:
                self._started = True
                threading.Thread(target=self._follow, daemon=True).start()
            return self._inboxes[device_id]

    def _follow(self):
        while True:
            try:
                with self._reading:
                    has_received = self._receive()
                if not has_received:
                    time.sleep(FEEDBACK_POLL_S)
            except (requests.RequestException, AssertionError):
                time.sleep(FEEDBACK_POLL_S)

    def _receive(self):
        path = "/messages/serviceBound/feedback"
        answer = self._hub.rest("GET", path, policy="service")
        if answer.status_code != 200:
            return False
        lock_token = answer.headers["ETag"].strip('"')
        self._hub.rest("DELETE", f"{path}/{lock_token}", policy="service", expect=204)
        self._hand_out(answer.json())
        return True

    def _hand_out(self, records):
        with self._lock:
            for record in records:
                self._inboxes[record["deviceId"]].put(record)
