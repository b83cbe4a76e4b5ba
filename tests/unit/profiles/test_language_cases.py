"""Golden cases of the language (tests/cases/profiles/language): query, items and traits in, answer and due out."""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from headwater.profiles.language import Compiled, Item, QueryError, State, check, compile_query, parse
from headwater.profiles.language.words import COMPARATORS, FILTERS, REDUCERS

ROOT = Path(__file__).parents[3]
CASES = ROOT / "tests" / "cases" / "profiles" / "language"
PAGE = ROOT / "docs" / "reference" / "audience-language.md"
BLOCK = re.compile(r"^```text\n(.*?)\n```", re.MULTILINE | re.DOTALL)
NOW = datetime(2024, 3, 15, tzinfo=UTC)


def cases(*names: str) -> list[Any]:
    found = [(name, case) for name in names for case in yaml.safe_load((CASES / f"{name}.yaml").read_text())]
    return [pytest.param(case, id=f"{name}: {case.get('why') or case['query']}") for name, case in found]


def ms(moment: datetime | None) -> int | None:
    return None if moment is None else round(moment.timestamp() * 1000)


def item(number: int, said: dict[str, Any]) -> Item:
    return Item(
        type=said.get("type", "track"),
        name=said.get("event", ""),
        source_id=said.get("source", "s1"),
        message_id=said.get("id", f"m{number}"),
        at_ms=ms(said["at"]) or 0,
        properties=said.get("properties", {}),
        context=said.get("context", {}),
    )


def state_of(compiled: Compiled, case: dict[str, Any], step: int = 1) -> State:
    state = compiled.new_state()
    items = [item(number, said) for number, said in enumerate(case.get("items", []))]
    for each in items[::step]:
        compiled.fold(state, each)
    return state


@pytest.mark.parametrize("case", cases("examples", "windows", "values"))
def test_a_query_answers_as_its_case_says(case: dict[str, Any]) -> None:
    compiled = compile_query(parse(case["query"]))
    now = ms(case.get("now", NOW)) or 0
    for step in (1, -1):
        value, due = compiled.evaluate(state_of(compiled, case, step), case.get("traits", {}), now)
        assert value == case["value"]
        assert type(value) is type(case["value"])
        if "due" in case:
            assert due == ms(case["due"])


@pytest.mark.parametrize("case", cases("accounts"))
def test_an_audience_of_accounts_answers_as_its_case_says(case: dict[str, Any]) -> None:
    compiled = compile_query(parse(case["query"]), "ACCOUNTS")
    assert compiled.per_user
    users = [(state_of(compiled, user), user.get("traits", {})) for user in case["users"]]
    assert compiled.value_for_account(users, case.get("traits", {}), ms(NOW) or 0) is case["value"]


@pytest.mark.parametrize("case", cases("errors"))
def test_a_wrong_query_is_told_what_is_wrong_and_where(case: dict[str, Any]) -> None:
    with pytest.raises(QueryError) as caught:
        check(parse(case["query"]), case.get("kind", "audience"), case.get("level", "USERS"))
    assert str(caught.value) == case["says"].rstrip("\n")
    assert caught.value.code == "invalid_query"


@pytest.mark.parametrize("text", [each for block in BLOCK.findall(PAGE.read_text()) for each in block.split("\n\n")])
def test_every_example_of_the_page_can_be_used(text: str) -> None:
    compile_query(parse(text), "ACCOUNTS" if re.search(r"\b(ANY|ALL)\b", text) else "USERS")


@pytest.mark.parametrize("call", [word.example for kind in (FILTERS, REDUCERS, COMPARATORS) for word in kind.values()])
def test_every_call_of_the_page_can_be_made(call: str) -> None:
    name = call[1:].partition("(")[0]
    if name in COMPARATORS:
        check(parse(f"trait('x'){call}"))
    else:
        check(parse(f"event('A'){call}{'.count()' if name in FILTERS else ''}"), "trait")
