"""Runs the cases of `cases/` against a running hub; `conformance/suites.toml` says what the environment holds."""

import importlib
import os
import sys
from pathlib import Path

from framework import Runner
from hub import Hub

EVENT_SOURCES = ("TwinChangeEvents", "DeviceLifecycleEvents", "DeviceConnectionStateEvents")

# As many as a hub may have besides $Default.
GROUPS = [f"readers.{number}" for number in range(19)]


def main():
    for module in sorted((Path(__file__).parent / "cases").glob("*.py")):
        importlib.import_module(f"cases.{module.stem}")
    hub = Hub()
    hub.change_settings(prepare)
    for group in GROUPS:
        hub.groups.put(group)
    runner = Runner(hub)
    runner.run_all(os.environ.get("IRONHUB_CASES", "").splitlines())
    return 1 if runner.failed else 0


def prepare(settings):
    """All sources go to the built-in endpoint, where the cases look for them."""
    settings["routes"] = [{"name": source, "source": source} for source in EVENT_SOURCES]
    settings["consumerGroups"] = GROUPS


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    # Without waiting for the threads of clients that do not end.
    os._exit(status)
