"""Kafka: a producer that waits until all in-sync replicas have what it was given.

The key of a record is the event's userId, or its anonymousId, so that a person's events stay in one partition, and the
header `messageId` says which event it is. The producer is idempotent: what it repeats by itself is stored once. Brokers
that the cluster names are checked by the guard when the connection is opened, and from time to time.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

import msgspec

from headwater.spec.destination import Failed, Guard, Item, NoAnswer, Result
from headwater.spec.errors import SetupError
from headwater.spec.places import namer

if TYPE_CHECKING:
    from confluent_kafka import KafkaError, Producer

T = TypeVar("T")
THREADS: Final = 4
COMPRESSIONS: Final = ("zstd", "lz4", "gzip", "snappy", "none")
_SERVER: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+):(\d{1,5})")
_OPEN_SECONDS: Final = 10.0
_SEND_SECONDS: Final = 15.0
_LAST_SECONDS: Final = 20.0
_LOOK_AGAIN_SECONDS: Final = 60.0
_UNAUTHORIZED: Final = frozenset(
    {
        "_AUTHENTICATION",
        "SASL_AUTHENTICATION_FAILED",
        "TOPIC_AUTHORIZATION_FAILED",
        "CLUSTER_AUTHORIZATION_FAILED",
        "UNSUPPORTED_SASL_MECHANISM",
    }
)
_REJECTED: Final = frozenset(
    {
        "MSG_SIZE_TOO_LARGE",
        "INVALID_MSG",
        "INVALID_RECORD",
        "INVALID_TIMESTAMP",
        "TOPIC_EXCEPTION",
        "RECORD_LIST_TOO_LARGE",
        "POLICY_VIOLATION",
    }
)


class _Who(msgspec.Struct, frozen=True):
    userId: Any = None
    anonymousId: Any = None


class Producing:
    """An open producer."""

    def __init__(
        self, producer: Producer, name: Callable[[str, str], str], complaints: deque[KafkaError], guard: Guard
    ) -> None:
        self._producer = producer
        self._name = name
        self._complaints = complaints
        self._guard = guard
        self._threads = ThreadPoolExecutor(THREADS + 1, thread_name_prefix="kafka")
        self._looked_at = 0.0

    async def look(self) -> None:
        """See that there is a cluster, and that its brokers are where they may be."""
        brokers = await self._aside(self._brokers)
        for host, port in brokers:
            await self._guard(host, port)
        self._looked_at = time.monotonic()

    async def write(self, items: Sequence[Item]) -> Result:
        """Produce the items, and wait for what became of each."""
        if time.monotonic() - self._looked_at > _LOOK_AGAIN_SECONDS:
            await self.look()
        errors = await self._aside(partial(self._send, items))
        failed = {index: why for index, error in enumerate(errors) if (why := _judged(error)) is not None}
        if len(failed) < len(items):
            self._complaints.clear()
        elif failed:
            self._raise(next((error for error in errors if _name(error) in _UNAUTHORIZED), errors[0]), failed[0])
        return failed or None

    async def close(self) -> None:
        """Give up what is not sent, and close the connections."""
        await self._aside(self._end)
        self._threads.shutdown(wait=False)

    async def _aside(self, work: Callable[[], T]) -> T:
        """Do what blocks in a thread of this producer's own, so that one that waits holds up nobody else's."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    def _brokers(self) -> list[tuple[str, int]]:
        """What the cluster says of its brokers. It is asked until it answers, refuses the login, or time is over."""
        from confluent_kafka import KafkaException

        until = time.monotonic() + _OPEN_SECONDS
        while True:
            try:
                found = self._producer.list_topics(timeout=min(1.0, _OPEN_SECONDS))
                return [(broker.host, broker.port) for broker in found.brokers.values()]
            except KafkaException as error:
                self._producer.poll(0.05)
                refused = [each for each in self._complaints if _name(each) in _UNAUTHORIZED]
                if refused:
                    raise NoAnswer("UNAUTHORIZED", _said(refused[0])) from error
                if time.monotonic() >= until:
                    said = next(iter(self._complaints), cast("KafkaError", error.args[0]))
                    raise NoAnswer("UNREACHABLE", _said(said)) from error

    def _send(self, items: Sequence[Item]) -> list[KafkaError | None]:
        """Produce the items. Those that are too large together are sent again in halves, so that only those fail that
        are too large alone.
        """
        found = self._send_once(items)
        large = [index for index, error in enumerate(found) if _name(error) == "MSG_SIZE_TOO_LARGE"]
        if len(items) > 1 and large:
            middle = (len(large) + 1) // 2
            for part in filter(None, (large[:middle], large[middle:])):
                for index, error in zip(part, self._send([items[each] for each in part]), strict=True):
                    found[index] = error
        return found

    def _send_once(self, items: Sequence[Item]) -> list[KafkaError | None]:
        """Produce the items and wait until each has its fate, which the producer's own time-out sees to."""
        from confluent_kafka import KafkaError, KafkaException

        found: list[KafkaError | None] = [None] * len(items)
        waiting = set(range(len(items)))

        def ended(index: int) -> Callable[[KafkaError | None, object], None]:
            def note(error: KafkaError | None, message: object) -> None:
                found[index] = error
                waiting.discard(index)

            return note

        for index, item in enumerate(items):
            try:
                self._produce(item, ended(index))
            except BufferError:
                ended(index)(KafkaError(KafkaError._QUEUE_FULL), None)  # pyright: ignore[reportPrivateUsage]
            except KafkaException as error:
                ended(index)(cast("KafkaError", error.args[0]), None)
        until = time.monotonic() + _LAST_SECONDS
        while waiting and time.monotonic() < until:
            self._producer.poll(0.1)
        for index in waiting:
            found[index] = KafkaError(KafkaError._MSG_TIMED_OUT)  # pyright: ignore[reportPrivateUsage]
        return found

    def _produce(self, item: Item, ended: Callable[[KafkaError | None, object], None]) -> None:
        who = _read_who(item.body)
        key = who.userId or who.anonymousId
        self._producer.produce(
            self._name(item.type, item.name),
            item.body,
            key.encode() if isinstance(key, str) else None,
            on_delivery=ended,
            headers=[("messageId", item.message_id.encode())],
        )

    def _raise(self, error: KafkaError | None, why: Failed) -> None:
        """Nothing was written: say so, if it is for a reason that is not the events'."""
        if error is None or not why.again:
            if _name(error) in _UNAUTHORIZED:
                raise NoAnswer("UNAUTHORIZED", why.detail)
            return
        refused = [each for each in self._complaints if _name(each) in _UNAUTHORIZED]
        if refused:
            raise NoAnswer("UNAUTHORIZED", _said(refused[0]))
        raise NoAnswer("TIMEOUT" if _name(error) == "_MSG_TIMED_OUT" else "UNREACHABLE", why.detail)

    def _end(self) -> None:
        self._producer.purge()
        self._producer.flush(1.0)


async def connect(settings: dict[str, Any], guard: Guard) -> Producing:
    """Open a producer, once the guard has permitted its servers and the brokers that they name."""
    from confluent_kafka import KafkaException, Producer

    for host, port in servers(settings["servers"]):
        await guard(host, port)
    complaints: deque[KafkaError] = deque(maxlen=20)
    try:
        producer = Producer(_options(settings, complaints.append))
    except (KafkaException, ValueError, TypeError) as error:
        raise NoAnswer("INVALID_SETTINGS", f"The producer refuses its settings: {error}"[:300]) from error
    found = Producing(producer, namer(settings["topic"]), complaints, guard)
    try:
        await found.look()
    except BaseException:
        await found.close()
        raise
    return found


def servers(text: str) -> list[tuple[str, int]]:
    """The servers of a list with commas. Raises SetupError."""
    found: list[tuple[str, int]] = []
    for each in filter(None, (part.strip() for part in text.split(","))):
        match = _SERVER.fullmatch(each)
        if match is None or not 0 < int(match[2]) < 65_536:
            raise SetupError(f"{each!r} is no server; one looks like kafka.example.com:9092.")
        found.append((match[1].strip("[]"), int(match[2])))
    if not found:
        raise SetupError("Kafka needs its servers.")
    return found


def mechanism(settings: dict[str, Any]) -> str:
    found = settings.get("mechanism") or "none"
    return "" if found == "none" else found


def _options(settings: dict[str, Any], complain: Callable[[KafkaError], None]) -> dict[str, Any]:
    """The producer's configuration. Nothing of the owner's goes in but what a setting is for."""
    options: dict[str, Any] = {
        "bootstrap.servers": ",".join(
            f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in servers(settings["servers"])
        ),
        "client.id": "headwater",
        "acks": "all",
        "enable.idempotence": True,
        "delivery.timeout.ms": int(_SEND_SECONDS * 1000),
        "socket.timeout.ms": int(_OPEN_SECONDS * 1000),
        "topic.metadata.propagation.max.ms": 5_000,
        "linger.ms": 5,
        "compression.type": settings.get("compression") or COMPRESSIONS[0],
        "error_cb": complain,
        "log_level": 0,
    }
    tls = settings.get("tls") is not False
    login = mechanism(settings)
    options["security.protocol"] = ("SASL_" if login else "") + ("SSL" if tls else "PLAINTEXT")
    if login:
        options |= {
            "sasl.mechanism": login,
            "sasl.username": settings["user"],
            "sasl.password": settings["password"],
        }
    if tls:
        options |= _tls(settings)
    return options


def _tls(settings: dict[str, Any]) -> dict[str, Any]:
    import certifi

    found: dict[str, Any] = {"ssl.endpoint.identification.algorithm": "https"}
    if settings.get("caCertificate"):
        found["ssl.ca.pem"] = settings["caCertificate"]
    else:
        found["ssl.ca.location"] = certifi.where()
    if settings.get("clientCertificate"):
        found |= {"ssl.certificate.pem": settings["clientCertificate"], "ssl.key.pem": settings["clientKey"]}
    return found


def _judged(error: KafkaError | None) -> Failed | None:
    """Why one event was not stored; what the broker refuses for itself it refuses again."""
    if error is None:
        return None
    return Failed(_said(error), again=_name(error) not in _REJECTED | _UNAUTHORIZED)


def _name(error: KafkaError | None) -> str:
    return error.name() if error is not None else ""


def _said(error: KafkaError) -> str:
    return f"{error.name()}: {error.str()}"[:300]


_read_who = msgspec.json.Decoder(_Who).decode
