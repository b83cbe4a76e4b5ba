"""Files of events, made in memory."""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from headwater.spec.destination import Item

_COLUMNS: Final = {
    "message_id": "messageId",
    "type": "type",
    "event": "event",
    "user_id": "userId",
    "anonymous_id": "anonymousId",
    "timestamp": "timestamp",
    "received_at": "receivedAt",
}


def parquet(items: Sequence[Item]) -> bytes:
    """The events as Parquet: columns for what is common, and the event as JSON in `payload`."""
    import pyarrow
    from pyarrow.parquet import write_table

    instant = pyarrow.timestamp("ms", tz="UTC")
    columns: dict[str, list[Any]] = {column: [] for column in _COLUMNS}
    for item in items:
        event = item.read()
        for column, key in _COLUMNS.items():
            value = event.get(key)
            moment = column in ("timestamp", "received_at")
            columns[column].append(_moment(value) if moment else value if isinstance(value, str) else None)
    arrays = {
        column: pyarrow.array(values, instant if column in ("timestamp", "received_at") else pyarrow.string())
        for column, values in columns.items()
    }
    arrays["payload"] = pyarrow.array([item.body.decode() for item in items], pyarrow.string())
    into = io.BytesIO()
    write_table(pyarrow.table(arrays), into, compression="zstd")
    return into.getvalue()


def _moment(value: Any) -> datetime | None:
    try:
        found = datetime.fromisoformat(value)
        return found.astimezone(UTC) if found.tzinfo is not None else None
    except (TypeError, ValueError, OverflowError):
        return None
