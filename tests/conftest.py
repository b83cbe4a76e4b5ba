"""What holds for every test: in CI nothing may be skipped, and generated cases are the same in every run.

Elsewhere hypothesis looks for new cases each time; what it finds is a bug, and not the fault of whoever pushed.

With `--shape=distributed` (or HEADWATER_TEST_SHAPE) the houses of the tests stand on one Kafka broker and one
PostgreSQL server for the whole session. What cannot be asked of that shape says so with `embedded_only("why")`, and is
counted and shown.
"""

import os
import tempfile
from collections.abc import Generator
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import settings

from headwater.contracts import shape

settings.register_profile("ci", derandomize=True, deadline=None)
if os.environ.get("CI"):
    settings.load_profile("ci")

# A house refuses variables of its own prefix that are no settings, and inherits the environment.
SHAPE = os.environ.pop("HEADWATER_TEST_SHAPE", "embedded")
EMBEDDED_ONLY = "embedded only: "
ON_ENGINES = "on engines"
ENGINES = pytest.StashKey[ExitStack]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--rounds", type=int, default=100, help="kills in tests/faults/test_kill_at_random.py")
    parser.addoption("--cluster-rounds", type=int, default=0, help="faults in tests/cluster, of 8; 0 is two of them")
    parser.addoption("--chance", type=int, default=1, help="the seed of random tests, for another order of events")
    shapes = ("embedded", "distributed")
    parser.addoption("--shape", choices=shapes, default=SHAPE, help="what the houses of the tests stand on")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[ENGINES] = ExitStack()
    if distributed(config) and shape.VARIABLE not in os.environ and not config.option.collectonly:
        os.environ[shape.VARIABLE] = shape.as_variable(start_engines(config.stash[ENGINES]))


def pytest_unconfigure(config: pytest.Config) -> None:
    config.stash[ENGINES].close()


def start_engines(until: ExitStack) -> shape.Engines:
    from headwater.contracts import kafka_brokers, postgres
    from headwater.store import Store

    folder = Path(until.enter_context(tempfile.TemporaryDirectory(prefix="headwater-engines-")))
    brokers = until.enter_context(kafka_brokers.kafka_brokers(folder / "kafka"))
    server = until.enter_context(postgres.postgres(folder / "postgres"))
    if brokers is None or server is None:
        pytest.exit(kafka_brokers.WHY_NOT if brokers is None else postgres.WHY_NOT, returncode=1)
    template = Store(server.url.replace("postgresql://", "postgresql+psycopg://", 1))
    template.migrate()
    template.close()
    root, _, database = server.url.rpartition("/")
    return shape.Engines(brokers.servers, root, database)


def distributed(config: pytest.Config) -> bool:
    return config.getoption("--shape") == "distributed"


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    only = item.get_closest_marker("embedded_only")
    if only is not None and distributed(item.config):
        pytest.skip(EMBEDDED_ONLY + only.args[0])


@pytest.fixture(autouse=True, scope="module")
def houses_of_a_module_are_removed() -> Generator[None]:
    before = shape.mark()
    yield
    shape.remove_since(before)


@pytest.fixture(autouse=True)
def houses_are_removed() -> Generator[None]:
    before = shape.mark()
    yield
    shape.remove_since(before)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.when == "call":
        report.user_properties.append((ON_ENGINES, shape.mark() != (0, 0, 0)))
    return report


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if not os.environ.get("CI") or reporter is None:
        return
    skipped = reporter.stats.get("skipped", [])
    if any(EMBEDDED_ONLY not in str(each.longrepr) for each in skipped):
        reporter.write_line("Nothing may be skipped in CI; .ci/run must install what these tests need.", red=True)
        session.exitstatus = 1


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if not distributed(config):
        return
    reports = [each for name in ("passed", "failed") for each in terminalreporter.stats.get(name, [])]
    on_engines = sum(bool(dict(each.user_properties).get(ON_ENGINES)) for each in reports)
    skipped = [each for each in terminalreporter.stats.get("skipped", []) if EMBEDDED_ONLY in str(each.longrepr)]
    terminalreporter.section("the distributed shape")
    terminalreporter.write_line(
        f"{on_engines} tests had houses on Kafka and PostgreSQL, {len(reports) - on_engines} asked for none, "
        f"{len(skipped)} are of the embedded shape alone."
    )
