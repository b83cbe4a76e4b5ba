"""How long a single event waits for its durable 200 at 100 requests a second, beside a bare echo in the same run."""

import http.client
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from benchmarks.load import event, paced
from benchmarks.report import quantile, report
from benchmarks.sink import running_sink
from headwater.contracts.house import running_house

RATE, SECONDS = 100, 10


def latencies(url: str, path: str, write_key: str, seconds: float = SECONDS) -> list[float]:
    """Milliseconds of single events, at RATE."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc)
    taken: list[float] = []

    def send(number: int) -> None:
        body = msgspec.json.encode(event(number) | {"writeKey": write_key})
        started = time.perf_counter()
        connection.request("POST", path, body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        answer.read()
        taken.append((time.perf_counter() - started) * 1000)
        assert answer.status == 200

    paced(RATE, seconds, send)
    return taken


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, running_sink() as sink, running_house(Path(folder)) as house:
        echo = latencies(sink, "/echo", "")
        durable = latencies(house.collect_url, "/v1/track", house.write_key)
    figures = {
        "bare echo p50, ms": quantile(echo, 0.5),
        "durable p50, ms": quantile(durable, 0.5),
        "durable p99, ms": quantile(durable, 0.99),
        "durable p50 / echo p50": quantile(durable, 0.5) / quantile(echo, 0.5),
    }
    report("acknowledgement", figures, target="p50 < 2 ms, p99 < 10 ms at 100 requests a second")


if __name__ == "__main__":
    main()
