"""Settings are checked against their fields, sealed on the way in and masked on the way out."""

from typing import Any

import pytest

from headwater.manage.forms import MASK, fill_in, masked
from headwater.manage.problems import Refused
from headwater.spec.destination import Field
from headwater.store.secrets import Secrets

FIELDS = (
    Field(key="url", label="URL", description="Where to.", required=True),
    Field(key="secret", label="Secret", description="Signs.", type="password"),
    Field(key="method", label="Method", description="How.", type="select", default="POST", choices=("POST", "PUT")),
    Field(key="size", label="Size", description="How many.", type="number"),
    Field(key="headers", label="Headers", description="Sent along.", type="secrets"),
    Field(key="on", label="On", description="Whether.", type="boolean"),
)
SECRETS = Secrets([b"k" * 32])


def fill(before: dict[str, Any], changes: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    return fill_in(FIELDS, before, changes, SECRETS)


def test_a_secret_is_sealed_at_rest_and_masked_when_shown() -> None:
    stored, opened = fill({}, {"url": "u", "secret": "geheim"})
    assert stored["secret"].startswith("sealed:")
    assert opened == {"url": "u", "secret": "geheim", "method": "POST"}
    assert masked(stored, FIELDS) == {"url": "u", "secret": MASK}


def test_a_mask_that_comes_back_leaves_the_secret_as_it_is() -> None:
    before, _ = fill({}, {"url": "u", "secret": "geheim"})
    stored, opened = fill(before, {"size": 3, "secret": MASK})
    assert stored["secret"] == before["secret"]
    assert opened["secret"] == "geheim"


def test_every_value_of_a_map_of_secrets_is_sealed_and_masked() -> None:
    before, opened = fill({}, {"url": "u", "headers": {"Authorization": "Bearer x", "X-Team": "a"}})
    assert all(value.startswith("sealed:") for value in before["headers"].values())
    assert opened["headers"] == {"Authorization": "Bearer x", "X-Team": "a"}
    shown = masked(before, FIELDS)
    assert shown["headers"] == {"Authorization": MASK, "X-Team": MASK}
    _, opened = fill(before, {"headers": {"Authorization": MASK, "X-New": "b"}})
    assert opened["headers"] == {"Authorization": "Bearer x", "X-New": "b"}


def test_null_removes_a_setting_and_absence_keeps_it() -> None:
    before, _ = fill({}, {"url": "u", "secret": "geheim", "size": 3})
    stored, _ = fill(before, {"secret": None})
    assert stored == {"url": "u", "size": 3}


def test_what_is_sealed_shows_masked_even_under_a_field_that_is_no_secret() -> None:
    assert masked({"gone": "sealed:abc:def"}, FIELDS) == {"gone": MASK}


def test_nobody_smuggles_in_a_sealed_secret() -> None:
    with pytest.raises(Refused) as refused:
        fill({}, {"url": "sealed:x:y", "secret": "sealed:x:y"})
    assert [problem.field for problem in refused.value.problems] == ["settings.url", "settings.secret"]


def test_every_wrong_setting_is_named() -> None:
    with pytest.raises(Refused) as refused:
        fill({}, {"method": "GET", "size": "3", "on": 1, "typo": 1})
    assert {problem.field for problem in refused.value.problems} == {
        "settings.typo",
        "settings.url",
        "settings.method",
        "settings.size",
        "settings.on",
    }


def test_a_number_is_not_a_boolean_in_disguise() -> None:
    with pytest.raises(Refused):
        fill({}, {"url": "u", "size": True})


def test_text_that_looks_sealed_is_refused_wherever_a_secret_goes() -> None:
    """It would be kept as it is, and opened as the secret that it was copied from."""
    copied = SECRETS.seal("somebody else's")
    for changes in ({"secret": copied}, {"headers": {"X-Mine": copied}}):
        with pytest.raises(Refused, match="sealed already"):
            fill({}, {"url": "u", **changes})
