"""Names of topics and subjects, made from a template and an event."""

import re

import pytest

from headwater.spec.errors import SetupError
from headwater.spec.places import check_template, namer

PLAIN = re.compile(r"[a-z.]+")


@pytest.mark.parametrize(
    ("template", "kind", "name", "made"),
    [
        ("events", "track", "Order Completed", "events"),
        ("a.{type}.{event}", "track", "Order Completed", "a.track.order_completed"),
        ("a.{type}.{event}", "identify", "", "a.identify.unnamed"),
        ("a.{event}", "track", "*.>.x y/../é", "a.x_y"),
        ("a.{type}", "tr*ck.>", "", "a.trck"),
        ("{event}", "track", "x" * 500, "x" * 120),
    ],
)
def test_a_template_is_filled_with_safe_words_alone(template: str, kind: str, name: str, made: str) -> None:
    assert namer(template)(kind, name) == made


@pytest.mark.parametrize("template", ["", None, "a.{userId}", "a b", "{}"])
def test_a_template_that_cannot_name_anything_is_refused(template: object) -> None:
    with pytest.raises(SetupError):
        check_template(template, PLAIN, "topic")
