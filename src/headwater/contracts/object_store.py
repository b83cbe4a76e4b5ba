"""An object store for tests: S3's protocol on a loopback port, with one bucket, gone when the block ends.

It is moto's server in a thread of this process. What it holds stays in memory while the block lasts, also when it is
stopped and started again, so that an object store that goes away for a while can be tried.
"""

from __future__ import annotations

import http.client
import socket
from collections.abc import Generator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any, Final

WHY_NOT: Final = "The double of S3 is not installed (the packages moto and flask bring it)."
REGION: Final = "us-east-1"
ACCESS_KEY: Final = "a-key-for-tests"
SECRET_KEY: Final = "a-secret-for-tests"


class ObjectStore:
    """A store that can be stopped and started again on the same port, with what it holds."""

    def __init__(self, port: int, bucket: str) -> None:
        self.port = port
        self.bucket = bucket
        self.endpoint = f"http://127.0.0.1:{port}"
        self._server: Any = None

    @property
    def url(self) -> str:
        """The bucket as fsspec names it, for `warehouse.archive_url`."""
        return f"s3://{self.bucket}"

    @property
    def storage(self) -> dict[str, Any]:
        """What `fsspec.filesystem("s3", **storage)` takes."""
        return {"key": ACCESS_KEY, "secret": SECRET_KEY, "endpoint_url": self.endpoint}

    @property
    def environment(self) -> dict[str, str]:
        """The variables by which a process finds it, AWS's own names; it asks once instead of for many seconds."""
        return {
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_MAX_ATTEMPTS": "1",
        }

    def start(self) -> None:
        """Serve from now on."""
        from moto.server import ThreadedMotoServer

        if self._server is None:
            self._server = ThreadedMotoServer("127.0.0.1", self.port, verbose=False)
            self._server.start()

    def stop(self) -> None:
        """Refuse connections from now on."""
        if self._server is not None:
            self._server.stop()
            self._server = None

    def make(self, bucket: str) -> None:
        """Make a bucket."""
        self._call("PUT", f"/{bucket}")

    def clear(self) -> None:
        """Forget everything, the buckets too."""
        self._call("POST", "/moto-api/reset")

    def _call(self, method: str, path: str) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, path, headers={"Host": "s3.amazonaws.com"})
            answer = connection.getresponse()
            if answer.status >= 300:
                raise RuntimeError(f"{method} {path} was answered {answer.status}: {answer.read()!r}")
        finally:
            connection.close()


@contextmanager
def object_store(bucket: str = "headwater") -> Generator[ObjectStore | None]:
    """A running store with an empty bucket. Gives None where its packages are missing; WHY_NOT says so."""
    if find_spec("moto") is None or find_spec("flask_cors") is None:
        yield None
        return
    store = ObjectStore(_free_port(), bucket)
    store.start()
    try:
        store.clear()
        store.make(bucket)
        yield store
    finally:
        store.stop()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
