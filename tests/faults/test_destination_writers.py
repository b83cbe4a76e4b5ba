"""Queues, tables and files whose servers misbehave: nothing is lost, and what is not stored is not delivered."""

import asyncio
import gzip
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
import nats
import psycopg
import pytest

from headwater.contracts import kafka
from headwater.contracts import nats as nats_contract
from headwater.contracts.delivering import Bench
from headwater.contracts.destination_trials import LOOPBACK
from headwater.contracts.destinations import items
from headwater.contracts.doubles import Answer, Recorder, refusing_port
from headwater.contracts.kafka import Cluster, kafka_cluster
from headwater.contracts.nats import Server, nats_server
from headwater.contracts.postgres import WHY_NOT, postgres_server
from headwater.deliver.transport import Transport
from headwater.deliver.writers import Writers, address_guard
from headwater.destinations import definition
from headwater.spec.destination import Item, NoAnswer
from headwater.spec.outcome import Step
from headwater.writers import kafka as kafka_writer

Try = Callable[[Sequence[Item]], Awaitable[Any]]
UNAUTHORIZED_FOR_TOPIC = 29
TOO_LARGE = 10
NOT_LEADER = 6


def events(count: int, *, first: int = 0, **more: Any) -> list[Item]:
    return items(
        [
            {"type": "track", "event": "Order Completed", "userId": f"u{number % 7}", "messageId": f"m{number}", **more}
            for number in range(first, first + count)
        ]
    )


@asynccontextmanager
async def writing(
    slug: str, settings: dict[str, Any], *, allowed: Sequence[str] = LOOPBACK, deadline: float = 20.0
) -> AsyncGenerator[Try]:
    declared = definition(slug)
    declared.check(settings)
    assert declared.action is not None
    async with Writers(address_guard(allowed), deadline_seconds=deadline) as writers, Transport(allowed) as transport:
        run = writers.writing(declared, declared.action, settings)

        async def attempt(due: Sequence[Item]) -> Any:
            return (await run(due, transport.exchange)).verdict

        yield attempt


# PostgreSQL


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with postgres_server(tmp_path_factory.mktemp("postgres")) as url:
        if url is None:
            pytest.skip(WHY_NOT)
        yield url


@pytest.fixture
def table(database: str, request: pytest.FixtureRequest) -> dict[str, Any]:
    """Settings of a destination whose table is this test's own."""
    name = f"events of {request.node.name}"[-60:]
    parts = urlsplit(database)
    return {
        "host": "127.0.0.1",
        "port": parts.port,
        "database": "headwater",
        "user": "headwater",
        "tls": "disable",
        "table": name,
    }


def rows(database: str, table: dict[str, Any]) -> list[tuple[Any, ...]]:
    with psycopg.connect(database) as connection:
        name = psycopg.sql.Identifier(table["table"])
        query = psycopg.sql.SQL("SELECT message_id, payload->'properties'->>'x' FROM {} ORDER BY received_at, 1")
        return connection.execute(query.format(name)).fetchall()


def test_a_row_stands_in_postgresql_once_however_often_it_is_written(database: str, table: dict[str, Any]) -> None:
    async def scenario() -> None:
        async with writing("postgres", table) as attempt:
            for _ in range(2):
                verdict = await attempt([*events(1_000), *events(2)])
                assert (verdict.step, verdict.items) == (Step.DELIVERED, {})
            await attempt(events(1, properties={"x": "new"}))
        async with writing("postgres", {**table, "onDuplicate": "replace"}) as attempt:
            await attempt([*events(1, first=1, properties={"x": "old"}), *events(1, first=1, properties={"x": "new"})])

    asyncio.run(scenario())
    found = rows(database, table)
    assert len(found) == len(dict(found)) == 1_000
    assert {name: x for name, x in found if x} == {"m1": "new"}


def test_an_event_that_postgresql_cannot_hold_fails_alone(database: str, table: dict[str, Any]) -> None:
    async def scenario() -> None:
        bad = events(1, first=2, properties={"x": "\0"})
        async with writing("postgres", table) as attempt:
            verdict = await attempt([*events(2), *bad, *events(3, first=3)])
        assert verdict.step is Step.DELIVERED
        assert {index: one.reason for index, one in verdict.items.items()} == {2: "MESSAGE_REJECTED"}

    asyncio.run(scenario())
    assert {name for name, _ in rows(database, table)} == {"m0", "m1", "m3", "m4", "m5"}


def test_a_locked_table_lets_events_wait_and_takes_them_later(database: str, table: dict[str, Any]) -> None:
    async def scenario() -> None:
        async with writing("postgres", table) as attempt, writing("postgres", table, deadline=0.3) as hurried:
            await attempt(events(1))
            async with await psycopg.AsyncConnection.connect(database) as other:
                await other.execute(psycopg.sql.SQL("LOCK {}").format(psycopg.sql.Identifier(table["table"])))
                verdict = await hurried(events(5))
                assert (verdict.step, verdict.reason, verdict.ill) == (Step.PENDING, "TIMEOUT", True)
                await other.rollback()
            assert (await attempt(events(5))).step is Step.DELIVERED

    asyncio.run(scenario())
    assert len(rows(database, table)) == 5


def test_a_server_that_ended_the_connection_is_connected_to_again_at_once(database: str, table: dict[str, Any]) -> None:
    async def scenario() -> None:
        async with writing("postgres", table) as attempt:
            await attempt(events(1))
            with psycopg.connect(database, autocommit=True) as other:
                ending = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'headwater'"
                other.execute(ending)
            assert (await attempt(events(3))).step is Step.DELIVERED

    asyncio.run(scenario())
    assert len(rows(database, table)) == 3


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("ALTER ROLE guest NOLOGIN", "PAUSED"),
        ("REVOKE INSERT ON {table} FROM guest", "PAUSED"),
        ("DROP TABLE {table}", "UNREACHABLE"),
    ],
    ids=["a role that may not log in", "a role that may not insert", "a table that is gone"],
)
def test_what_the_owner_of_the_database_takes_away_lets_events_wait(
    database: str, table: dict[str, Any], statement: str, reason: str
) -> None:
    name = psycopg.sql.Identifier(table["table"])

    async def scenario() -> None:
        with psycopg.connect(database, autocommit=True) as owner:
            owner.execute("DROP ROLE IF EXISTS guest; CREATE ROLE guest LOGIN")
            async with writing("postgres", table) as attempt:
                await attempt(events(1))
            owner.execute(psycopg.sql.SQL("GRANT INSERT, SELECT ON {} TO guest").format(name))
            owner.execute(psycopg.sql.SQL(statement).format(table=name))
            async with writing("postgres", {**table, "user": "guest", "createTable": False}) as attempt:
                verdict = await attempt(events(2))
            assert (verdict.step, verdict.reason) == (Step.PENDING, reason), verdict
            owner.execute("DROP OWNED BY guest; DROP ROLE guest")

    asyncio.run(scenario())


# NATS


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with nats_server(tmp_path / "nats") as running:
        if running is None:
            pytest.skip(nats_contract.WHY_NOT)
        yield running


async def stored_in_nats(server: Server) -> Counter[str]:
    client = await nats.connect(server.url)
    try:
        subscription = await client.jetstream().subscribe("events.>", ordered_consumer=True)
        found: Counter[str] = Counter()
        while True:
            try:
                message = await subscription.next_msg(timeout=0.3)
            except TimeoutError:
                return found
            found[msgspec.json.decode(message.data)["messageId"]] += 1
    finally:
        await client.close()


async def make_stream(server: Server, **more: Any) -> None:
    client = await nats.connect(server.url)
    await client.jetstream().add_stream(name="EVENTS", subjects=["events.>"], **more)
    await client.close()


def test_an_event_stands_in_a_stream_once_and_none_counts_before_the_stream_has_it(server: Server) -> None:
    settings = {"servers": server.url, "subject": "events.{type}.{event}", "stream": "EVENTS"}

    async def scenario() -> None:
        async with writing("nats", settings) as attempt:
            verdict = await attempt(events(3))
            assert (verdict.step, verdict.reason, verdict.ill) == (Step.PENDING, "RETRY", True)
            await make_stream(server)
            for _ in range(2):
                verdict = await attempt(events(1_000))
                assert (verdict.step, verdict.items) == (Step.DELIVERED, {})
            large = events(1, first=1_000, properties={"x": "y" * 2_000_000})
            verdict = await attempt([*events(1, first=1_001), *large])
            assert {index: one.reason for index, one in verdict.items.items()} == {1: "MESSAGE_REJECTED"}
        stored = await stored_in_nats(server)
        assert (len(stored), stored.total()) == (1_001, 1_001)

    asyncio.run(scenario())


def test_a_stream_that_is_full_takes_events_when_it_has_room(server: Server) -> None:
    async def scenario() -> None:
        await make_stream(server, max_msgs=3, discard="new")
        async with writing("nats", {"servers": server.url, "subject": "events.{type}"}) as attempt:
            verdict = await attempt(events(5))
            assert verdict.step is Step.DELIVERED
            assert {index: one.reason for index, one in verdict.items.items()} == {3: "RETRY", 4: "RETRY"}
            assert (await stored_in_nats(server)).total() == 3

    asyncio.run(scenario())


def test_a_server_of_nats_that_asks_for_a_login_gets_events_only_with_the_right_one(tmp_path: Path) -> None:
    async def scenario(server: Server) -> None:
        settings = {"servers": server.url, "subject": "events"}
        async with writing("nats", {**settings, "token": "wrong"}) as attempt:
            verdict = await attempt(events(2))
        assert (verdict.step, verdict.reason, verdict.refused) == (Step.PENDING, "PAUSED", True)
        async with writing("nats", {**settings, "token": "right"}) as attempt:
            assert (await attempt(events(2))).reason == "RETRY"

    with nats_server(tmp_path, "--auth", "right") as server:
        assert server is not None, nats_contract.WHY_NOT
        asyncio.run(scenario(server))


def test_a_user_of_nats_who_may_not_publish_there_lets_events_wait(tmp_path: Path) -> None:
    users = '{users: [{user: ada, password: secret, permissions: {publish: ["other"]}}]}'
    (tmp_path / "nats.conf").write_text(f"authorization {users}")

    async def scenario(server: Server) -> None:
        settings = {"servers": server.url, "subject": "events", "user": "ada", "password": "secret"}
        async with writing("nats", settings) as attempt:
            verdict = await attempt(events(2))
        assert (verdict.step, verdict.reason, verdict.refused) == (Step.PENDING, "PAUSED", True)

    with nats_server(tmp_path / "js", "-c", str(tmp_path / "nats.conf")) as server:
        assert server is not None, nats_contract.WHY_NOT
        asyncio.run(scenario(server))


def test_a_token_is_not_told_to_a_server_of_nats_without_tls() -> None:
    async def scenario() -> None:
        heard: list[bytes] = []

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b'INFO {"server_id":"x","version":"2.10.0","max_payload":1048576,"auth_required":true}\r\n')
            heard.append(await reader.read(1_000))
            writer.close()

        listening = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = listening.sockets[0].getsockname()[1]
        settings = {"servers": f"tls://127.0.0.1:{port}", "subject": "events", "token": "s3cret"}
        async with writing("nats", settings) as attempt:
            verdict = await attempt(events(1))
        listening.close()
        assert (verdict.step, verdict.reason) == (Step.PENDING, "UNREACHABLE")
        assert b"s3cret" not in b"".join(heard)

    asyncio.run(scenario())


def test_events_outlast_a_server_that_is_killed_while_they_flow(tmp_path: Path, server: Server) -> None:
    async def scenario() -> None:
        await make_stream(server)
        bench = Bench(tmp_path)
        queue = bench.connect("nats", servers=server.url, subject="events.{type}")
        sent = await bench.put(1_500, queue)
        async with bench.delivering():
            await bench.until_committed()
            server.stop()
            sent += await bench.put(500, queue, first=1_500)
            await bench.until(lambda: bench.states().get("waiting"))
            server.start()
            sent += await bench.put(500, queue, first=2_000)
            await bench.until_committed()
            await bench.until(lambda: set(bench.states()) <= {"delivered"})
        assert (await bench.books())[queue] == {("matched", ""): 2_500, ("delivered", ""): 2_500}
        assert set(await stored_in_nats(server)) == set(sent)

    asyncio.run(scenario())


# Kafka


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    monkeypatch.setattr(kafka_writer, "_SEND_SECONDS", 2.0)
    monkeypatch.setattr(kafka_writer, "_OPEN_SECONDS", 2.0)
    with kafka_cluster() as running:
        if running is None:
            pytest.skip(kafka.WHY_NOT)
        running.make("events")
        yield running


def test_an_event_stands_in_kafka_under_the_key_of_its_person(cluster: Cluster) -> None:
    async def scenario() -> None:
        async with writing("kafka", {"servers": cluster.servers, "topic": "events", "tls": False}) as attempt:
            cluster.fail_next(NOT_LEADER)
            verdict = await attempt(events(2_000))
            assert (verdict.step, verdict.items) == (Step.DELIVERED, {})

    asyncio.run(scenario())
    stored = cluster.stored("events", 2_000)
    assert [message.headers() for message in stored] == [[("messageId", f"m{n}".encode())] for n in range(2_000)]
    assert [message.key() for message in stored] == [f"u{n % 7}".encode() for n in range(2_000)]


def test_events_too_large_together_go_out_apart_and_one_too_large_alone_fails_alone(cluster: Cluster) -> None:
    async def scenario() -> None:
        async with writing("kafka", {"servers": cluster.servers, "topic": "events", "tls": False}) as attempt:
            await attempt(events(1))
            cluster.fail_next(TOO_LARGE)
            verdict = await attempt(events(4, first=1))
            assert (verdict.step, verdict.items) == (Step.DELIVERED, {})
            large = events(1, first=6, properties={"x": "y" * 2_000_000})
            verdict = await attempt([*events(1, first=5), *large])
            assert {index: one.reason for index, one in verdict.items.items()} == {1: "MESSAGE_REJECTED"}

    asyncio.run(scenario())
    assert len(cluster.stored("events", 6)) == 6


def test_a_cluster_that_is_away_or_slow_lets_events_wait(cluster: Cluster) -> None:
    settings = {"servers": cluster.servers, "topic": "events", "tls": False}

    async def scenario() -> None:
        async with writing("kafka", settings) as attempt:
            assert (await attempt(events(1))).step is Step.DELIVERED
            cluster.down()
            for _ in range(2):
                verdict = await attempt(events(2))
                assert (verdict.step, verdict.ill) == (Step.PENDING, True)
                assert verdict.reason in ("TIMEOUT", "UNREACHABLE")
            cluster.up()
            assert (await attempt(events(2))).step is Step.DELIVERED
        async with writing("kafka", settings, deadline=0.2) as attempt:
            cluster.slow(500)
            assert (await attempt(events(1))).reason == "TIMEOUT"

    asyncio.run(scenario())


def test_a_topic_that_may_not_be_written_to_any_more_lets_events_wait(cluster: Cluster) -> None:
    async def scenario() -> None:
        async with writing("kafka", {"servers": cluster.servers, "topic": "events", "tls": False}) as attempt:
            assert (await attempt(events(1))).step is Step.DELIVERED
            cluster.fail_next(UNAUTHORIZED_FOR_TOPIC)
            verdict = await attempt(events(2))
            assert (verdict.step, verdict.reason, verdict.refused) == (Step.PENDING, "PAUSED", True)

    asyncio.run(scenario())


def test_brokers_are_checked_that_a_cluster_names_itself(cluster: Cluster) -> None:
    asked: list[str] = []

    async def guard(host: str, port: int) -> str:
        asked.append(f"{host}:{port}")
        if len(asked) > 1:
            raise NoAnswer("PRIVATE_ADDRESS", "The broker is at a private address.")
        return host

    async def scenario() -> None:
        declared = definition("kafka")
        settings = {"servers": cluster.servers, "topic": "events", "tls": False}
        assert declared.action is not None
        async with Writers(guard) as writers, Transport() as transport:
            tried = await writers.writing(declared, declared.action, settings)(events(1), transport.exchange)
        assert (tried.verdict.step, tried.verdict.reason) == (Step.FAILED_DELIVERY, "PRIVATE_ADDRESS")

    asyncio.run(scenario())
    assert asked == [cluster.servers, cluster.servers]
    assert cluster.stored("events", 1, seconds=0.3) == []


def test_brokers_are_checked_again_and_a_cluster_that_moved_is_let_go(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved: list[str] = []

    async def guard(host: str, port: int) -> str:
        if moved:
            raise NoAnswer("PRIVATE_ADDRESS", "The broker is at a private address.")
        return host

    async def scenario() -> None:
        declared = definition("kafka")
        settings = {"servers": cluster.servers, "topic": "events", "tls": False}
        assert declared.action is not None
        async with Writers(guard) as writers, Transport() as transport:
            run = writers.writing(declared, declared.action, settings)
            assert (await run(events(1), transport.exchange)).verdict.step is Step.DELIVERED
            monkeypatch.setattr(kafka_writer, "_LOOK_AGAIN_SECONDS", -1.0)
            moved.append("away")
            for _ in range(2):
                assert (await run(events(1), transport.exchange)).verdict.reason == "PRIVATE_ADDRESS"
            assert writers.open == 0

    asyncio.run(scenario())
    assert len(cluster.stored("events", 2, seconds=0.3)) <= 1


# Files


def test_a_file_that_may_have_been_written_is_written_again_under_its_name(tmp_path: Path) -> None:
    async def scenario() -> None:
        bench = Bench(tmp_path)
        async with Recorder() as storage:
            bucket = bench.connect(
                "s3",
                bucket="logs",
                region="x1",
                accessKeyId="id",
                secretAccessKey="secret",
                endpoint=storage.url("").rstrip("/"),
                waitSeconds=0.05,
            )
            storage.always(Answer(mischief="abort"))
            sent = await bench.put(300, bucket)
            async with bench.delivering():
                await storage.until(lambda: storage.requests)
                storage.always(Answer(200))
                await bench.until_committed()
                await bench.until(lambda: set(bench.states()) <= {"delivered"})
            assert (await bench.books())[bucket] == {("matched", ""): 300, ("delivered", ""): 300}
            files = {request.path: gzip.decompress(request.body).splitlines() for request in storage.requests}
            assert len(files) < len(storage.requests)
            lines = [line for each in files.values() for line in each]
            assert {msgspec.json.decode(line)["messageId"] for line in lines} == set(sent)

    asyncio.run(scenario())


# All of them

ADDRESSED: dict[str, Callable[[int], dict[str, Any]]] = {
    "postgres": lambda port: {"host": "127.0.0.1", "port": port, "database": "d", "user": "u", "tls": "disable"},
    "nats": lambda port: {"servers": f"127.0.0.1:{port}", "subject": "events"},
    "kafka": lambda port: {"servers": f"127.0.0.1:{port}", "topic": "events", "tls": False},
}


@pytest.mark.parametrize("slug", ADDRESSED)
def test_a_private_address_is_not_connected_to(slug: str) -> None:
    async def scenario() -> None:
        async with writing(slug, ADDRESSED[slug](9), allowed=()) as attempt:
            verdict = await attempt(events(1))
        assert (verdict.step, verdict.reason) == (Step.FAILED_DELIVERY, "PRIVATE_ADDRESS")

    asyncio.run(scenario())


@pytest.mark.parametrize("slug", ADDRESSED)
def test_a_port_that_refuses_lets_events_wait(slug: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka_writer, "_OPEN_SECONDS", 0.5)

    async def scenario(port: int) -> None:
        async with writing(slug, ADDRESSED[slug](port)) as attempt:
            verdict = await attempt(events(1))
        assert (verdict.step, verdict.reason, verdict.ill) == (Step.PENDING, "UNREACHABLE", True), verdict

    with refusing_port() as port:
        asyncio.run(scenario(port))


@pytest.mark.parametrize("slug", ADDRESSED)
@pytest.mark.parametrize("mischief", ["hang", "garbage", "abort"])
def test_a_server_that_speaks_another_language_lets_events_wait(
    slug: str, mischief: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kafka_writer, "_OPEN_SECONDS", 0.5)

    async def scenario() -> None:

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            if mischief == "garbage":
                writer.write(b"220 mail.example.com ESMTP\r\n" * 10)
            if mischief == "hang":
                await reader.read()
            writer.close()

        listening = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = listening.sockets[0].getsockname()[1]
        async with writing(slug, ADDRESSED[slug](port), deadline=1.0) as attempt:
            verdict = await attempt(events(1))
        listening.close()
        assert (verdict.step, verdict.ill) == (Step.PENDING, True), verdict
        assert verdict.reason in ("UNREACHABLE", "TIMEOUT")

    asyncio.run(scenario())
