"""The pure parts of the overview and the settings: figures, bars, problems, and words for scopes."""

from html import escape

import pytest

from headwater.console.pages.overview import points
from headwater.console.pages.settings_storage import room_of
from headwater.console.parts.attention import mark
from headwater.console.parts.facts import facts
from headwater.console.parts.flow import Share, Stage, bar, flow
from headwater.console.parts.overview.stages import MOST_STAGES, freshness, hidden_stages, overview_tiles, rate, stages
from headwater.console.parts.overview.tables import destinations_table, sources_table, warehouses_table
from headwater.console.parts.patched import press
from headwater.console.parts.problems import MOST, banner, place_of
from headwater.console.parts.settings.scope_words import RESOURCES
from headwater.manage.operation import ANY_CALLER
from headwater.manage.operations import OPERATIONS
from headwater.manage.operations.overview import (
    DestinationOverview,
    GetOverviewAnswer,
    LastFailure,
    LastLoad,
    OverviewTotals,
    ProblemShape,
    ReaderOverview,
    SourceOverview,
    WarehouseOverview,
)
from headwater.manage.operations.series import DESTINATION_STEPS, SOURCE_STEPS, GetLedgerSeriesAnswer, SeriesPoint
from headwater.spec.outcome import Step

NASTY = "<img src=x onerror=alert(1)>"
NOW = 1_700_000_000_000
MOMENT = "2023-11-14T22:13:00.000Z"


def destination(
    number: int = 0, *, matched: int = 10, failed: int = 0, p99: float | None = 20.0
) -> DestinationOverview:
    return DestinationOverview(
        id=f"d{number}",
        name=NASTY,
        definition="webhook",
        source_id="s",
        source_name=NASTY,
        enabled=True,
        paused=False,
        credentials_refused=False,
        matched=matched,
        delivered=matched - failed,
        failed=failed,
        filtered=0,
        pending=0,
        p50=5.0,
        p99=p99,
        last_delivered_at=MOMENT,
        last_failure=LastFailure(at=MOMENT, reason="BAD_REQUEST", meaning=NASTY),
    )


def overview(destinations: list[DestinationOverview], *, failed: int = 0, received: int = 120) -> GetOverviewAnswer:
    totals = OverviewTotals(
        received=received,
        failed_on_ingest=failed,
        duplicate=0,
        filtered_at_source=0,
        processed=received - failed,
        matched=0,
        filtered_at_destination=0,
        delivered=0,
        failed_delivery=0,
        pending=0,
    )
    return GetOverviewAnswer(
        start_time=MOMENT,
        end_time=MOMENT,
        totals=totals,
        sources=[],
        destinations=destinations,
        warehouses=[],
        readers=[],
        balanced=True,
        free_bytes=1,
        total_bytes=2,
        problems=[],
    )


def problem(kind: str, of: str = "", severity: str = "error") -> ProblemShape:
    return ProblemShape(severity=severity, kind=kind, id=of, what=f"{NASTY} {kind}", todo=NASTY)


def reader(name: str, seconds: float | None) -> ReaderOverview:
    return ReaderOverview(reader=name, stream="processed", records=0 if seconds is None else 1, oldest_seconds=seconds)


@pytest.mark.parametrize(
    ("kind", "of", "place"),
    [
        ("destination", "d1", "/destinations/d1"),
        ("source", "s1", "/sources/s1"),
        ("warehouse", "w1", "/warehouse/w1"),
        ("reader", "deliver", "/settings/health"),
        ("disk", "", "/settings/storage"),
        ("ledger", "", "/settings/health"),
        ("something new", "", "/"),
    ],
)
def test_a_problem_leads_to_where_it_can_be_mended(kind: str, of: str, place: str) -> None:
    assert place_of(problem(kind, of)) == place


def test_no_problem_is_no_banner_and_no_mark() -> None:
    assert banner([]) == ""
    assert mark([]) == ""


def test_many_problems_are_folded_and_counted() -> None:
    shown = banner([problem("destination", f"d{number}") for number in range(MOST + 3)])
    assert "and 3 more" in shown
    assert shown.count('role="alert"') == MOST + 3
    assert "7 problems" in mark([problem("source", severity="warning")] * 7)


def test_the_mark_has_the_colour_of_the_worst() -> None:
    assert "warn" in mark([problem("source", severity="warning")])
    assert "bad" in mark([problem("source", severity="warning"), problem("disk")])


def test_what_came_from_outside_is_shown_as_text() -> None:
    source = SourceOverview(
        id=NASTY,
        name=NASTY,
        slug="s",
        enabled=False,
        received=1,
        failed_on_ingest=0,
        duplicate=0,
        filtered=0,
        processed=1,
        last_received_at=MOMENT,
    )
    load = LastLoad(state=NASTY, at=MOMENT, rows=1, notices=[NASTY])
    warehouse = WarehouseOverview(id=NASTY, name=NASTY, engine=NASTY, enabled=True, last_load=load, lag=2)
    seen = overview([destination()])
    parts = [
        banner([problem("destination", NASTY)]),
        mark([problem("destination", NASTY)]),
        sources_table([source], NOW, "UTC"),
        destinations_table([destination()], NOW, "UTC"),
        warehouses_table([warehouse], NOW, "UTC"),
        flow(stages(seen)),
        overview_tiles(seen, 60),
        facts([(NASTY, NASTY)], NASTY),
        press(NASTY, NASTY, NASTY, about=NASTY),
    ]
    for part in parts:
        assert escape(NASTY) in part
        assert "<img" not in part


def test_bars_are_as_long_as_their_events_and_keep_what_is_small_in_sight() -> None:
    shown = flow(
        [Stage("a", "came", 1_000, [Share("went", 999, "good"), Share("lost", 1, "bad")]), Stage("b", "x", 1, [])]
    )
    assert "width:100.0%" in shown
    assert "width:1.5%" in shown
    assert "went: 999 (99.9 %)" in shown
    assert bar([("good", 0, "nothing")]).count("<i") == 0


def test_the_ledger_shows_those_in_trouble_first_and_says_how_many_it_leaves_out() -> None:
    seen = overview(
        [*(destination(number) for number in range(20)), destination(99, failed=1), destination(100, matched=0)]
    )
    shown = stages(seen)
    assert len(shown) == 1 + MOST_STAGES
    assert "/destinations/d99" in str(shown[1].name)
    assert hidden_stages(seen) == 21 - MOST_STAGES


@pytest.mark.parametrize(
    ("events", "minutes", "said"),
    [
        (0, 60, "none"),
        (1, 1440, "less than one an hour"),
        (120, 60, "2.0 a minute"),
        (36_000_000, 60, "10,000 a second"),
    ],
)
def test_a_rate_is_told_in_the_unit_that_reads_best(events: int, minutes: int, said: str) -> None:
    assert rate(events, minutes) == said


def test_freshness_is_the_age_of_the_oldest_that_waits() -> None:
    assert freshness([reader("deliver", None)]) == ("up to date", "nothing waits")
    assert freshness([reader("deliver", 0.2), reader("warehouse:w", 12.0)]) == ("12 s", "waits for a warehouse")
    assert freshness([reader("pipeline", 90.0)])[0].endswith("behind")


def test_intervals_are_folded_into_points_of_both_sides() -> None:
    times = [f"2023-11-14T22:{minute:02d}:00.000Z" for minute in (0, 5, 10, 15)]
    came, went = (
        GetLedgerSeriesAnswer(
            side=side,
            start_time=times[0],
            end_time=times[-1],
            granularity="FIVE_MINUTES",
            points=[SeriesPoint(time=time, steps=dict.fromkeys(steps, 1)) for time in times],
        )
        for side, steps in (("sources", SOURCE_STEPS), ("destinations", DESTINATION_STEPS))
    )
    moments, values = points(came, went, 3)
    assert len(moments) == 2
    assert moments[1] - moments[0] == 15 * 60_000
    assert values == [[3, 1], [3, 1], [6, 2]]
    assert Step.RECEIVED in came.points[0].steps


def test_every_scope_of_an_operation_can_be_chosen_for_a_token() -> None:
    words = {f"{one.id}:read" for one in RESOURCES} | {f"{one.id}:write" for one in RESOURCES if one.write}
    assert {one.scope for one in OPERATIONS.values()} - {ANY_CALLER} <= words


def test_every_part_of_the_data_folder_is_in_a_room() -> None:
    parts = ("log/processed", "archive", "warehouse/w1.duckdb", "dedup", "store", "other", "new/x")
    assert [room_of(part) for part in parts] == ["log", "archive", "warehouse", "dedup", "store", "other", "other"]
