"""Every file of the catalogue keeps the promises of the room, and its cases come out as they are written."""

from pathlib import Path

import pytest

from headwater.contracts.destinations import Case, check_case, check_declaration, check_secrets, read_cases
from headwater.destinations import COMMON_FIELDS, definition, own_names
from headwater.spec.errors import SetupError

FOLDER = Path(__file__).parents[1] / "cases" / "destinations"
CASES = [pytest.param(slug, case, id=f"{slug}: {case.why}") for slug in own_names() for case in read_cases(FOLDER / slug)]


@pytest.mark.parametrize("slug", own_names())
def test_a_destination_declares_everything_that_others_read_off_it(slug: str) -> None:
    check_declaration(definition(slug), slug)


@pytest.mark.parametrize("slug", own_names())
def test_a_destination_has_a_golden_case_that_sends_something(slug: str) -> None:
    assert any(case.requests for case in read_cases(FOLDER / slug)), f"tests/cases/destinations/{slug} sends nothing."


@pytest.mark.parametrize(("slug", "case"), CASES)
def test_a_case_comes_out_as_it_is_written(slug: str, case: Case) -> None:
    check_case(definition(slug), case)


@pytest.mark.parametrize(("slug", "case"), CASES)
def test_secrets_do_not_show(slug: str, case: Case) -> None:
    check_secrets(definition(slug), case)


def test_no_destination_uses_the_key_of_a_common_field() -> None:
    common = {field.key for field in COMMON_FIELDS}
    assert all(common.isdisjoint(field.key for field in definition(slug).fields) for slug in own_names())


def test_names_of_destinations_are_unique() -> None:
    every = [name for slug in own_names() for name in (definition(slug).name, *definition(slug).previous_names)]
    assert len(set(every)) == len(every)


def test_a_destination_that_is_not_in_the_catalogue_is_said_so() -> None:
    with pytest.raises(SetupError, match="no destination 'nowhere'"):
        definition("nowhere")


def test_every_folder_of_cases_belongs_to_a_destination() -> None:
    assert {folder.name for folder in FOLDER.iterdir()} == set(own_names())
