"""Which days of the archive a query can need; never fewer than it does."""

import json
from datetime import UTC, datetime

import duckdb
import pytest

from headwater.warehouse.narrowing import ALL, TREE, Days, days_of

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
WEEK = Days("2026-11-01", "2026-11-09")


def asked(sql: str) -> tuple[Days, ...]:
    quoted = "'" + sql.replace("'", "''") + "'"
    [(tree,)] = duckdb.connect().execute(TREE.format(quoted)).fetchall()
    return days_of(json.loads(tree), NOW)


@pytest.mark.parametrize(
    "where",
    [
        "received_at >= '2026-11-02' and received_at < '2026-11-08'",
        "received_at > timestamp '2026-11-02 10:00' and '2026-11-08' > events.received_at and user_id = 'u'",
        "received_at between date '2026-11-02' and '2026-11-08T12:00:00Z'::timestamptz",
    ],
)
def test_moments_narrow_to_their_days_and_those_beside_them(where: str) -> None:
    assert asked(f"select count(*) from events where {where}") == (WEEK,)
    inside = f"with e as (select * from events where {where}) select * from e join site.tracks t on t.id = e.message_id"
    assert asked(inside) == (WEEK,)


def test_what_is_said_of_now_narrows_too() -> None:
    for since in ("now() - interval 7 day", "now() - interval '1 week'", "current_date - interval 168 hours"):
        found = asked(f"select 1 from events e where e.received_at > {since}")
        assert found in ((Days("2026-11-13"),), ALL)
    assert asked("select 1 from events where received_at > now() - interval 7 day") == (Days("2026-11-13"),)
    assert asked("select 1 from events where received_at = '2026-11-05'") == (Days("2026-11-04", "2026-11-06"),)


@pytest.mark.parametrize(
    "sql",
    [
        "select * from events",
        "select * from events where received_at > '2026-11-02' or user_id = 'u'",
        "select * from events where not received_at > '2026-11-02'",
        "select * from events where timestamp > '2026-11-02'",
        "select * from events where received_at > '1' || '2026-11-02'",
        "select * from events where received_at > sent_at",
        "select * from events where received_at::varchar > '2026-11-02'",
        "select * from events a left join events b on true where a.received_at > '2026-11-02'",
        "select * from site.tracks t, events where received_at > '2026-11-02'",
        "from query_table('events') where received_at > '2026-11-02'",
        "select * from query('select * from events')",
        "select 1 from events where received_at <> '2026-11-02'",
        "select (select max(received_at) from events i where o.received_at > '2026-11-02') from events o",
        "select (select count(*) from events i where events.received_at > '2026-11-02') from events",
        "with events as (select sent_at received_at from events) select 1 from events where received_at > '2026-11-02'",
        "delete from events",
        "select broken from",
    ],
)
def test_whatever_else_is_said_every_day_may_be_needed(sql: str) -> None:
    assert any(days == Days() for days in asked(sql))


def test_each_time_events_are_named_counts_and_where_they_are_not_no_day_does() -> None:
    two = (
        "select 1 from events where received_at < '2026-01-05' "
        "union select 1 from events where received_at = '2026-03-01'"
    )
    assert asked(two) == (Days(last="2026-01-06"), Days("2026-02-28", "2026-03-02"))
    assert asked("select * from site.tracks") == ()
    assert WEEK.holds("2026-11-09")
    assert not WEEK.holds("2026-11-10")
