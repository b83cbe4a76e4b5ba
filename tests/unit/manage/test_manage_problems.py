"""Errors become answers by who must act, and a bug tells nothing."""

import pytest

from headwater.manage.problems import Problem, Refused, explain
from headwater.spec.errors import SenderError, SetupError, Unavailable


@pytest.mark.parametrize(
    ("error", "status", "type"),
    [
        (SenderError("There is no such source.", status=404), 404, "not-found"),
        (SenderError("Taken.", status=409), 409, "conflict"),
        (SenderError("Who?", status=401), 401, "unauthorized"),
        (SetupError("The key is missing."), 422, "setup"),
        (Unavailable("Away."), 503, "unavailable"),
        (KeyError("secret"), 500, "internal"),
    ],
)
def test_each_family_has_its_status(error: Exception, status: int, type: str) -> None:
    found, problems, _ = explain(error)
    assert (found, problems[0].type) == (status, type)


def test_a_bug_keeps_its_text_inside() -> None:
    _, (problem,), _ = explain(RuntimeError("password is hunter2"))
    assert "hunter2" not in problem.message


def test_what_time_heals_says_when_to_come_back() -> None:
    assert explain(Unavailable("Away.", retry_after=2.4))[2] == {"Retry-After": "2"}


def test_all_problems_of_a_request_stay_together() -> None:
    problems = [Problem("input-validation", "a", "a"), Problem("input-validation", "b", "b")]
    assert explain(Refused(problems))[:2] == (422, tuple(problems))
