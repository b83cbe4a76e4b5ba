"""The heart of collect: what bodies say."""

from itertools import product
from typing import Any

import pytest

from headwater.collect.accept import Call, accept, find_fault
from headwater.collect.routes import ROUTES, find
from headwater.pipeline.validate import validate
from headwater.spec.event import EVENT_TYPES

ABSENT: Any = object()


@pytest.mark.parametrize("kind", sorted(EVENT_TYPES))
def test_a_single_call_is_refused_exactly_when_the_pipeline_would_fail_it_for_a_required_field(kind: str) -> None:
    values = ("x", "", None, 5, {"a": 1}, ABSENT)
    names = {"userId": "user_id", "anonymousId": "anonymous_id", "groupId": "group_id", "previousId": "previous_id"}
    for user, anonymous, other, name in product(values, repeat=4):
        body = {"userId": user, "anonymousId": anonymous, "groupId": other, "previousId": other, "event": name}
        body = {key: value for key, value in body.items() if value is not ABSENT}
        call = Call(**{names.get(key, key): value for key, value in body.items()})
        fault = find_fault(kind, call)
        assert (fault.code if fault else "") == validate({"type": kind, **body}), body


def test_the_events_of_a_batch_are_counted_without_opening_them() -> None:
    accepted = accept(ROUTES["/v1/batch"], b'{"batch":[1,{"type":"x"},null]}', "k")
    assert (accepted.events, accepted.refused, accepted.error) == (3, "", None)


def test_the_owner_of_a_single_call_is_its_user_before_its_anonymous_id() -> None:
    route = ROUTES["/v1/identify"]
    assert accept(route, b'{"userId":"u","anonymousId":"a"}', "k").owner == "u"
    assert accept(route, b'{"userId":null,"anonymousId":"a"}', "k").owner == "a"


def test_what_is_refused_is_kept_up_to_32_kb() -> None:
    accepted = accept(ROUTES["/v1/batch"], b"[" + b" " * 100_000, "k")
    assert accepted.refused == "bad_request"
    assert len(accepted.value) == 32_768


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/", "/v1/x", "/v1/track/x", "/V1/track", "/v1/pixel", "//v1/track"])
def test_other_paths_mean_nothing(path: str) -> None:
    assert find(path) is None


@pytest.mark.parametrize("path", ["/v1/projects/k1/settings", "/v1/projects/k1/settings/", "/projects/k1/settings"])
def test_a_source_settings_path_names_its_key(path: str) -> None:
    route = find(path)
    assert route is not None
    assert (route.form, route.key, route.method) == ("settings", "k1", "GET")


@pytest.mark.parametrize("path", ["/v1/projects//settings", "/v1/projects/k1", "/v1/projects/a/b/settings"])
def test_a_path_that_is_nearly_that_of_settings_means_nothing(path: str) -> None:
    assert find(path) is None
