"""Load for the benchmarks: realistic events, sent over kept-alive connections."""

import http.client
import threading
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import msgspec

AGENT = (
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0 Safari/537.36"
)


def event(number: int, **properties: Any) -> dict[str, Any]:
    """An event of about 600 bytes, as a web shop's server sends it."""
    return {
        "type": "track",
        "event": "Order Completed",
        "userId": f"user-{number % 10_000}",
        "messageId": f"bench-{number}",
        "timestamp": "2024-01-01T10:00:00.000Z",
        "properties": {
            "revenue": 19.99,
            "currency": "USD",
            "order_id": f"order-{number}",
            "products": [{"product_id": "p-1", "price": 9.99, "quantity": 2}],
            **properties,
        },
        "context": {
            "library": {"name": "analytics-node", "version": "3.1.0"},
            "userAgent": AGENT,
            "ip": "8.8.8.8",
            "page": {"url": "https://shop.example/cart?utm_source=mail", "path": "/cart", "title": "Cart"},
        },
        "integrations": {},
    }


def batches(events: int, size: int = 100, *, start: int = 0) -> list[bytes]:
    """Bodies of /v1/batch, of events that are numbered from `start`."""
    end = start + events
    return [
        msgspec.json.encode({"batch": [event(number) for number in range(first, min(first + size, end))]})
        for first in range(start, end, size)
    ]


def send_all(url: str, path: str, bodies: list[bytes], headers: dict[str, str], *, connections: int = 4) -> float:
    """Send all bodies as fast as the server takes them; returns the seconds it took. Raises on any answer but 200."""
    failures: list[str] = []

    def work(share: list[bytes]) -> None:
        connection = http.client.HTTPConnection(urlsplit(url).netloc)
        for body in share:
            while True:
                connection.request("POST", path, body, headers)
                answer = connection.getresponse()
                answer.read()
                if answer.status != 503:
                    break
                time.sleep(0.05)
            if answer.status != 200:
                failures.append(f"{answer.status}")
                return

    threads = [threading.Thread(target=work, args=(bodies[index::connections],)) for index in range(connections)]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, failures
    return time.perf_counter() - started


def paced(rate: float, seconds: float, send: Callable[[int], None]) -> None:
    """Call `send` at a steady rate."""
    started = time.perf_counter()
    for number in range(int(rate * seconds)):
        wait = started + number / rate - time.perf_counter()
        if wait > 0:
            time.sleep(wait)
        send(number)
