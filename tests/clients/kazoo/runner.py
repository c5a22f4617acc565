"""Runs kazoo's upstream tests and writes one line a test: outcome, tab, name, tab, reason.

usage: runner.py <result file> <pytest arguments>

Ends the servers of the harness and then the process at once: handlers of some tests leave threads
behind that would go on reconnecting for ever.
"""
import os
import sys

import pytest


class Outcomes:
    """Keeps the worst outcome of a test's three phases."""

    def __init__(self, path):
        self.file = open(path, "w", buffering=1)
        self.of = {}

    def pytest_runtest_logreport(self, report):
        name = report.nodeid.split("/")[-1]
        if report.when == "setup" or report.outcome != "passed":
            reason = ""
            if report.failed:
                reason = (str(report.longrepr).strip().splitlines() or [""])[-1]
            elif report.skipped and isinstance(report.longrepr, tuple):
                reason = report.longrepr[2]
            if self.of.get(name, ("passed",))[0] == "passed":
                self.of[name] = (report.outcome, reason)
        if report.when == "teardown":
            outcome, reason = self.of[name]
            self.file.write(f"{outcome}\t{name}\t{reason}\n")


code = pytest.main(
    ["-o", "addopts=", "-o", "log_cli=false", "-p", "no:cacheprovider", "-q", "--color=no", *sys.argv[2:]],
    plugins=[Outcomes(sys.argv[1])],
)
from kazoo.testing import harness  # noqa: E402

if harness.CLUSTER is not None:
    harness.CLUSTER.terminate()
sys.stdout.flush()
os._exit(0 if code in (0, 1) else code)
