"""Claim: batches of 100 events are made durable at about 200,000 events a second."""

from __future__ import annotations

import json

from benchmarks.collect_single import event_of
from benchmarks.collecting.load import compare

if __name__ == "__main__":
    batch = [{**event_of(600), "type": "track", "messageId": f"message-{number}"} for number in range(100)]
    body = json.dumps({"batch": batch, "sentAt": "2026-01-01T00:00:01.000Z"}).encode()
    compare("collect_batch", "/v1/batch", body, len(batch), target="about 200,000 events a second")
