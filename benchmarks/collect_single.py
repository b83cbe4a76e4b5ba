"""Claim: single events of 600 bytes are made durable at 60 % of the rate of the bare HTTP echo of the same run."""

from __future__ import annotations

import json

from benchmarks.collecting.load import compare

EVENT = {
    "writeKey": "benchmark",
    "userId": "user-4711",
    "event": "Order Completed",
    "messageId": "node-next-1790000000000-1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed",
    "timestamp": "2026-01-01T00:00:00.000Z",
    "context": {
        "library": {"name": "benchmark", "version": "1.0.0"},
        "page": {"url": "https://shop.example.com/checkout/thanks", "path": "/checkout/thanks"},
    },
    "properties": {"orderId": "50314b8e", "revenue": 24.5, "currency": "EUR", "note": ""},
}


def event_of(size: int) -> dict[str, object]:
    """The event, filled up so that its JSON has so many bytes."""
    missing = size - len(json.dumps(EVENT))
    return EVENT | {"properties": {**EVENT["properties"], "note": "x" * missing}}  # type: ignore[dict-item]


if __name__ == "__main__":
    compare(
        "collect_single",
        "/v1/track",
        json.dumps(event_of(600)).encode(),
        1,
        target="60 % of the bare echo of the same run",
    )
