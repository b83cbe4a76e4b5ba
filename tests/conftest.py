"""What holds for every test: in CI nothing may be skipped, and generated cases are the same in every run.

Elsewhere hypothesis looks for new cases each time; what it finds is a bug, and not the fault of whoever pushed.
"""

import os

import pytest
from hypothesis import settings

settings.register_profile("ci", derandomize=True, deadline=None)
if os.environ.get("CI"):
    settings.load_profile("ci")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--rounds", type=int, default=200, help="kills in tests/faults/test_kill_at_random.py")
    parser.addoption("--chance", type=int, default=1, help="the seed of random tests, for another order of events")


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CI") and reporter is not None and reporter.stats.get("skipped"):
        reporter.write_line("Nothing may be skipped in CI; .ci/run must install what these tests need.", red=True)
        session.exitstatus = 1
