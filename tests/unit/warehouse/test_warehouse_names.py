"""Names in a warehouse: the vectors of the contract (13.4), and what an engine cannot take."""

import pytest

from headwater.spec.workspace import Source
from headwater.warehouse.naming import Names
from headwater.warehouse.reserved import RESERVED, STANDARD, TABLES


@pytest.mark.parametrize(
    ("event", "table"),
    [
        ("Order Completed", "order_completed"),
        ("accountType", "account_type"),
        ("IDNumber", "idnumber"),
        ("iOS Version", "i_os_version"),
        ("price2", "price2"),
        ("_x", "_x"),
        ("1st", "_1st"),
        ("Select", "_select"),
        ("identifies", "_identifies"),
        ("Aliases", "_aliases"),
    ],
)
def test_an_event_name_becomes_a_table_name(event: str, table: str) -> None:
    assert Names().table(event) == table


def test_a_name_that_is_too_long_is_cut_and_stays_unlike_its_neighbours() -> None:
    names = Names(63)
    one, other = names.table("A" * 100 + " one"), names.table("A" * 100 + " two")
    assert len(one) == len(other) == 63
    assert one != other
    assert one.startswith("a" * 54 + "_")


def test_names_without_letters_get_tables_of_their_own() -> None:
    names = Names()
    assert names.table("购买") != names.table("支付")
    assert names.table("购买").startswith("event_")


def test_sources_with_one_name_do_not_share_a_schema() -> None:
    sources = [
        Source(id=f"id{at}", slug=slug, name="") for at, slug in enumerate(["my-site", "my_site", "pg_x", "用户"])
    ]
    assert Names().schemas(sources) == {"id0": "my_site", "id1": "my_site_id1", "id2": "_pg_x", "id3": "id3"}


@pytest.mark.parametrize("slug", ["information_schema", "main", "temp", "system"])
def test_schemas_of_the_engine_are_left_to_it(slug: str) -> None:
    assert Names().schema(slug) == f"_{slug}"


def test_what_is_remembered_of_senders_keys_has_an_end() -> None:
    names = Names()
    for number in range(50_001):
        names.table(f"event {number}")
    root = names.properties
    names.trim()
    assert names.properties is not root
    assert names.table("event 1") == "event_1"


def test_the_lists_of_words_do_not_overlap_by_accident() -> None:
    assert {"timestamp"} == RESERVED & STANDARD
    assert not RESERVED & TABLES
