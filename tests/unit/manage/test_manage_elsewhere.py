"""A secret is sent only to the place that it was given for."""

from typing import Any

import pytest

from headwater import destinations as catalogue
from headwater.manage.elsewhere import moved
from headwater.manage.forms import MASK, fill_in
from headwater.manage.problems import Refused
from headwater.spec.destination import Field
from headwater.store.secrets import Secrets
from headwater.warehouse import engines

SECRETS = Secrets([b"k" * 32])
AT_THE_VENDOR = {"mailchimp", "totango"}
"""Destinations with a secret that is only ever sent to hosts of the vendor. Whoever adds one decides."""


def field(key: str, **more: Any) -> Field:
    return Field(key=key, label=key, description=f"{key}.", **more)


FIELDS = (
    field("url"),
    field("token", type="password"),
    field("headers", type="secrets"),
    field("note"),
)
BEFORE = {"url": "https://a.example/", "token": SECRETS.seal("t"), "headers": {"X-Key": SECRETS.seal("k")}}


def refused(changes: dict[str, Any]) -> list[str | None]:
    with pytest.raises(Refused) as caught:
        fill_in(FIELDS, BEFORE, changes, SECRETS)
    return [problem.field for problem in caught.value.problems]


def test_with_another_address_every_secret_that_stands_must_be_given_again() -> None:
    assert refused({"url": "https://b.example/"}) == ["settings.token", "settings.headers"]
    assert refused({"url": "https://b.example/", "token": MASK, "headers": {"X-Key": "new"}}) == ["settings.token"]
    assert refused({"url": "https://b.example/", "token": "new", "headers": {"X-Key": MASK}}) == ["settings.headers"]


def test_the_refusal_says_what_to_do() -> None:
    with pytest.raises(Refused, match=r'"settings\.token" must be given again together with "url"'):
        fill_in(FIELDS, BEFORE, {"url": "https://b.example/"}, SECRETS)


def test_secrets_that_are_given_again_or_removed_go_with_the_new_address() -> None:
    _, opened = fill_in(FIELDS, BEFORE, {"url": "https://b.example/", "token": "new", "headers": None}, SECRETS)
    assert opened == {"url": "https://b.example/", "token": "new"}


def test_other_settings_and_the_same_address_leave_secrets_alone() -> None:
    stored, opened = fill_in(FIELDS, BEFORE, {"url": "https://a.example/", "note": "n", "token": MASK}, SECRETS)
    assert stored["token"] == BEFORE["token"]
    assert opened["headers"] == {"X-Key": "k"}


@pytest.mark.parametrize(
    "one",
    [
        *map(field, ("sftp_host", "instanceUrl", "integrationURL", "apiEndpoint", "subdomain", "pod", "dataCenter")),
        field("brokers", type="list"),
        field("port", type="number"),
        field("collector", format="uri"),
        field("dsn", type="password"),
    ],
    ids=lambda one: one.key,
)
def test_a_setting_names_a_place_by_its_key_or_format(one: Field) -> None:
    assert moved([one], {one.key: "a"}, {one.key: "b"}) == [one.key]
    assert moved([one], {one.key: "a"}, {one.key: "a"}) == []


@pytest.mark.parametrize(
    "value",
    [
        "x.evil.example/",
        "https://e",
        "evil.example#",
        "db.evil.example",
        "a.b:80",
        "[::1]",
        "evil%2eexample/",
        "evil。example#",
    ],
)
def test_whatever_holds_an_address_names_a_place(value: str) -> None:
    assert moved([field("account")], {"account": "a1"}, {"account": value}) == ["account"]
    assert moved([field("accounts", type="list")], {}, {"accounts": ["a1", value]}) == ["accounts"]


@pytest.mark.parametrize(
    ("one", "value"),
    [
        (field("region", choices=("us", "eu")), "eu"),
        (field("urls_only", type="boolean"), True),
        (field("email"), "somebody@example.com"),
        (field("folder"), "Folder/Sub"),
        (field("file"), "events.csv"),
        (field("token", type="password"), "https://x"),
        (field("server_token", type="password"), "t"),
    ],
    ids=lambda one: one.key if isinstance(one, Field) else "",
)
def test_what_chooses_among_places_of_the_vendor_or_is_no_address_names_none(one: Field, value: Any) -> None:
    assert moved([one], {}, {one.key: value}) == []


def test_every_definition_with_a_secret_and_an_address_is_covered() -> None:
    declared = {slug: catalogue.definition(slug).fields for slug in catalogue.own_names() if slug not in AT_THE_VENDOR}
    declared |= {name: engines.definition(name).fields for name in engines.names()}
    for slug, fields in declared.items():
        places = [one.key for one in fields if moved([one], {one.key: "a"}, {one.key: "b"})]
        asks = any(one.secret for one in fields)
        assert not asks or places, f"{slug} has a secret, and no setting that says where it is sent"
