"""What definitions, connections and series come to, without a house."""

import msgspec
import pytest

from headwater.manage.connecting import (
    activate,
    activation_id,
    calls_of,
    find_activation,
    put,
    read_id_sync,
    read_settings,
    refuse_used,
)
from headwater.manage.defining import cycle, history_of, key_of, known_by_of, read_query, refuse_locked, status_of
from headwater.manage.memberships import show_memberships
from headwater.manage.operations.computations import series
from headwater.manage.problems import Refused
from headwater.profiles.computed import Worked
from headwater.spec.computation import KNOWN_BY, Call, Computation, Connection, IdSync, Phase, Run
from headwater.spec.errors import SenderError
from headwater.spec.space import DEFAULT_TYPES, Space
from headwater.store.standing import Size

SPACE = Space(id="spa_1", slug="s", name="S")
AUDIENCE = Computation(id="aud_1", space_id="spa_1", kind="audience", key="a", name="A", query="trait('b') = 1")
TRAIT = Computation(id="tra_1", space_id="spa_1", kind="trait", key="t", name="T", query="trait('a')")


@pytest.mark.parametrize(
    ("name", "key"), [("Big Buyers!", "big_buyers"), ("Übung 1", "bung_1"), ("already_snake", "already_snake")]
)
def test_a_key_is_the_name_in_snake_case(name: str, key: str) -> None:
    assert key_of(name) == key


def test_a_key_is_never_longer_than_a_column_may_be_named() -> None:
    assert len(key_of("word " * 50)) <= 200


def test_a_wrong_query_says_its_place_what_was_expected_and_shows_it() -> None:
    with pytest.raises(Refused) as refused:
        read_query("event('A').count() >=\n  ANY", "audience", "USERS")
    (problem,) = refused.value.problems
    assert problem.field == "definition.query"
    assert problem.data is not None
    assert problem.data["line"] == 2
    assert problem.message.splitlines()[-1].strip() == "^"


def test_a_cycle_goes_over_everything_of_the_same_space_and_of_no_other() -> None:
    query = read_query("trait('t') = 1", "audience", "USERS")
    assert cycle([AUDIENCE, TRAIT], "spa_1", "a", query) == ("a", "t", "a")
    assert cycle([AUDIENCE, TRAIT], "spa_2", "a", query) is None
    broken = msgspec.structs.replace(TRAIT, query="from another time")
    assert cycle([broken], "spa_1", "a", query) is None


def test_who_is_known_by_what_depends_on_the_level_and_the_space() -> None:
    assert known_by_of(SPACE, "USERS", None, field="f") == KNOWN_BY
    assert known_by_of(SPACE, "ACCOUNTS", None, field="f") == ("group_id",)
    assert known_by_of(SPACE, "USERS", ["email", "email"], field="f") == ("email",)
    people = msgspec.structs.replace(
        SPACE, identifiers=tuple(one for one in DEFAULT_TYPES if one.collection == "users")
    )
    with pytest.raises(Refused, match="no identifier type of accounts"):
        known_by_of(people, "ACCOUNTS", None, field="f")


def test_history_counts_unless_told_otherwise() -> None:
    assert history_of(None, None, field="f") == (True, 0)
    assert history_of(None, 7, field="f") == (True, 7)
    assert history_of(False, None, field="f") == (False, 0)
    with pytest.raises(Refused):
        history_of(False, 7, field="f")


@pytest.mark.parametrize(
    ("phase", "status", "locked"),
    [
        ("PREPARING", "Preparing", True),
        ("BACKFILLING", "Backfilling", True),
        ("COMPUTING", "Computing", True),
        ("LIVE", "Live", False),
        ("FAILED", "Failed", False),
    ],
)
def test_the_status_follows_the_run_of_the_version(phase: Phase, status: str, locked: bool) -> None:
    run = Run(computation_id="aud_1", version=1, phase=phase)
    assert status_of(AUDIENCE, run) == status
    assert status_of(AUDIENCE, None) == "Preparing"
    assert status_of(msgspec.structs.replace(AUDIENCE, version=2), run) == "Preparing"
    off = msgspec.structs.replace(AUDIENCE, enabled=False)
    assert status_of(off, run) == "Disabled"
    refuse_locked(off, run, noun="audience")
    if locked:
        with pytest.raises(SenderError, match="locked while it is processed"):
            refuse_locked(AUDIENCE, run, noun="audience")
    else:
        refuse_locked(AUDIENCE, run, noun="audience")


def test_a_connection_makes_the_calls_that_its_settings_say() -> None:
    named = read_settings({"enteredName": "In", "traits": ["plan"], "anything": {"else": 1}})
    assert [(call.on, call.type, call.name, call.traits) for call in calls_of(AUDIENCE, named)] == [
        ("changed", "identify", "", ("plan",)),
        ("entered", "track", "In", ("plan",)),
        ("exited", "track", "Audience Exited", ("plan",)),
    ]
    quiet = read_settings({"sendTrack": False})
    assert [call.type for call in calls_of(AUDIENCE, quiet)] == ["identify"]
    accounts = msgspec.structs.replace(TRAIT, level="ACCOUNTS")
    assert [(call.type, call.name) for call in calls_of(accounts, read_settings({"computedName": "New"}))] == [
        ("group", ""),
        ("track", "New"),
    ]
    people = read_settings({"accountsAs": "identify"})
    assert [call.type for call in calls_of(accounts, people)] == ["identify", "track"]
    with pytest.raises(Refused, match="accountsAs"):
        read_settings({"accountsAs": "track"})


def test_a_sync_of_identifiers_has_at_most_five_types_and_three_of_all_values() -> None:
    types = [one.name for one in DEFAULT_TYPES if one.collection == "users"]
    five = [IdSync(external_id=name) for name in types[:5]]
    assert read_id_sync(SPACE, five) == tuple(five)
    three = [IdSync(external_id=name, strategy="all") for name in types[:3]]
    assert len(read_id_sync(SPACE, three)) == 3
    for wrong in (
        [IdSync(external_id=name) for name in types[:6]],
        [IdSync(external_id=name, strategy="all") for name in types[:4]],
        [IdSync(external_id="shoe_size")],
        [IdSync(external_id="email"), IdSync(external_id="email", strategy="all")],
    ):
        with pytest.raises(Refused):
            read_id_sync(SPACE, wrong)


def test_the_first_activation_takes_the_place_of_the_default_calls_and_the_second_joins_it() -> None:
    first, second = (Call(id=f"act_{n}", on="entered", type="track", name=str(n)) for n in (1, 2))
    plain = Connection(id="con_1", destination_id="d", calls=calls_of(AUDIENCE, read_settings({})))
    assert activation_id(plain, plain.calls[0]) == "con_1.all"
    one = activate(plain, first)
    assert one.calls == (first,)
    both = activate(one, second)
    connected = msgspec.structs.replace(AUDIENCE, connections=put(msgspec.structs.replace(AUDIENCE), both))
    assert find_activation(connected, "act_2") == (both, second)
    with pytest.raises(SenderError):
        find_activation(connected, "con_1.all")
    with pytest.raises(SenderError, match='the audience "A"'):
        refuse_used([connected], "d", noun="destination")
    refuse_used([connected], "other", noun="destination")


def test_a_series_has_a_point_an_hour_from_the_first_that_is_known() -> None:
    sizes = [Size(100, 5, 5, 0), Size(103, 4, 0, 1)]
    assert [(one.size, one.entered, one.exited) for one in series(sizes, 104, 3)] == [(5, 0, 0), (4, 0, 1), (4, 0, 0)]
    assert [one.size for one in series(sizes, 104, 50)] == [5, 5, 5, 4, 4]
    assert series([], 104, 50) == []


def test_a_membership_of_what_was_removed_is_called_by_its_key() -> None:
    shown = show_memberships([Worked("a", True, 0, AUDIENCE), Worked("gone", 7, 0, None)])
    assert [(one.name, one.kind, one.value) for one in shown] == [("A", "audience", True), ("gone", "removed", 7)]
