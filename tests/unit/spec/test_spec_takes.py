"""Whose events a space takes."""

from headwater.spec.computation import ENGAGE
from headwater.spec.csv_upload import CSV_UPLOADS
from headwater.spec.space import Space
from headwater.spec.sql_trait import SQL_TRAITS
from headwater.spec.workspace import Source, Workspace


def source(name: str, kind: str = "http-api", **settings: str) -> Source:
    return Source(id=name, slug=name, name=name, kind=kind, settings=settings)


WORKSPACE = Workspace(
    id="w",
    slug="w",
    name="W",
    version=1,
    sources=(
        source("web"),
        source("shop"),
        source("told_a", ENGAGE, spaceId="a"),
        source("sql_a", SQL_TRAITS, spaceId="a"),
        source("sql_b", SQL_TRAITS, spaceId="b"),
        source("csv_a", CSV_UPLOADS, spaceId="a"),
    ),
)


def taken(space: Space) -> list[str]:
    return [source.id for source in WORKSPACE.sources if WORKSPACE.takes(space)(source.id)]


def test_a_space_of_all_sources_takes_those_of_customers_and_its_own_sql_traits_and_uploads():
    assert taken(Space(id="a", slug="a", name="A")) == ["web", "shop", "sql_a", "csv_a"]
    assert taken(Space(id="b", slug="b", name="B")) == ["web", "shop", "sql_b"]


def test_a_space_of_some_sources_takes_what_is_its_own_without_naming_them():
    assert taken(Space(id="a", slug="a", name="A", all_sources=False, source_ids=("shop",))) == [
        "shop",
        "sql_a",
        "csv_a",
    ]


def test_what_is_said_of_a_space_is_not_taken_even_if_it_is_named():
    named = Space(id="a", slug="a", name="A", all_sources=False, source_ids=("told_a", "sql_b"))
    assert taken(named) == ["sql_a", "csv_a"]
