"""Every number of the tracking API in one place (contract: connections 1.5, 12)."""

from __future__ import annotations

MAX_MESSAGE_BYTES = 32 * 1024
"""One message, in bytes of its JSON (1.5)."""

MAX_BATCH_BYTES = 512_000
"""A batch request's body after decompression (1.5; clients measure up to 506,125 bytes)."""

MAX_BATCH_ITEMS = 2_500
"""More items are answered 200 and the batch is refused as an outcome (1.5)."""

MAX_MERGED_BYTES = 8_000_000
"""What a batch's own context and integrations may come to when they stand under each of its items."""

MAX_PROPERTIES = 10_000
"""Properties beyond this are dropped from the event; the event is kept (1.5)."""

MAX_MESSAGE_ID_CHARS = 100
"""A longer message id drops the event (1.5)."""

MAX_DEPTH = 100
"""Levels of nesting in a message (1.5)."""
