"""Audiences of accounts: which conditions are asked of each linked user, and how their answers are combined (3.8).

What stands in ANY or ALL is asked of each user, with the user's traits. So is a comparison with an event outside of
them, which means ANY. What compares traits alone outside of them is asked of the account.
"""

from __future__ import annotations

from headwater.profiles.language.conditions import Ask, Read, condition
from headwater.profiles.language.streams import Plan, read_trait
from headwater.profiles.language.tree import (
    AllUsers,
    AnyUser,
    Compare,
    Condition,
    Literal,
    Reduced,
    Scalar,
    Trait,
)
from headwater.profiles.language.walking import parts

Answers = tuple[bool, ...]
"""What one user answers to the conditions that are asked of users, in their order."""


def of_account(body: Condition, plan: Plan) -> tuple[list[Ask], Ask]:
    """The conditions asked of each user, and the whole: asked with all users' answers as its state."""
    asked: list[Ask] = []

    def quantified(part: Condition) -> Ask | None:
        if isinstance(part, AnyUser | AllUsers):
            return _combine(asked, plan.ask(part.part), every=isinstance(part, AllUsers))
        if isinstance(part, Compare) and any(isinstance(each, Reduced) for each in parts(part)):
            return _combine(asked, plan.ask(part), every=False)
        return None

    return asked, condition(body, _of_account, quantified)


def _combine(asked: list[Ask], ask: Ask, *, every: bool) -> Ask:
    index = len(asked)
    asked.append(ask)
    if every:
        return lambda here: all(answers[index] for answers in here.state)
    return lambda here: any(answers[index] for answers in here.state)


def _of_account(scalar: Scalar) -> tuple[Read, bool]:
    if isinstance(scalar, Literal):
        value = scalar.value
        return lambda here: value, False
    assert isinstance(scalar, Trait), "a comparison with an event is asked of users"
    return read_trait(scalar)
