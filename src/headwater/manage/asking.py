"""Asking a destination something that is no delivery, with the owner's settings: the catalogue's worker answers, or who
opens connections of its own.

What the vendor says may echo secrets, so all of it is made fit to be shown before it leaves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from headwater.manage.describing import find_definition
from headwater.manage.desk import Desk
from headwater.manage.problems import invalid
from headwater.manage.trials import ports
from headwater.spec.destination import NoAnswer
from headwater.spec.errors import SetupError
from headwater.spec.wire import JSON
from headwater.spec.workspace import Destination

if TYPE_CHECKING:
    from headwater.spec.destination import Action, DestinationDefinition


def catalogued(destination: Destination) -> DestinationDefinition:
    """The definition of a destination that a worker can be asked about. Raises Refused for any other."""
    definition = find_definition(destination.definition)
    if definition is None or not definition.worker:
        raise invalid("destinationId", "Only destinations of Segment's catalogue can be asked this.")
    return definition


async def ask(desk: Desk, destination: Destination, method: str, args: dict[str, Any]) -> JSON:
    """What the destination answers (`catalogue/workers.py` has the methods), without secrets.

    Raises SetupError with what it says when it refuses, and Unavailable when there is no answer.
    """
    from headwater.deliver.plan import complete, hidden_forms
    from headwater.deliver.redact import forms, redact

    definition = catalogued(destination)
    settings = complete(definition, destination.settings, desk.secrets)
    async with ports(desk) as opened:
        tokens = opened.tokens
        held = await tokens.current(destination) if destination.tokens_version else {}
        hidden = (*hidden_forms(definition, settings), *forms(held.values()))
        try:
            answer = await opened.workers.ask(
                method,
                {"dest": destination.definition, "settings": settings, **args},
                opened.exchange,
                tokens=held,
                save_tokens=lambda new: tokens.save(destination.id, new),
                hold_tokens=lambda: tokens.locked(destination.id),
            )
        except SetupError as error:
            raise SetupError(redact(str(error), hidden)) from None
    return _clean(answer, hidden)


def connects(definition: DestinationDefinition) -> bool:
    """Does it open connections of its own, which can be tried?"""
    return not definition.worker and any(_writing(definition))


async def connect(desk: Desk, destination: Destination, definition: DestinationDefinition) -> None:
    """Open a destination's connection and close it again. Raises SetupError with why that is not possible."""
    from headwater.deliver.plan import complete, hidden_forms
    from headwater.deliver.redact import redact

    settings = complete(definition, destination.settings, desk.secrets)
    async with ports(desk) as opened:
        for action in _writing(definition):
            try:
                writer = await opened.writers.start(action, settings)
                await writer.close()
            except NoAnswer as error:
                raise SetupError(redact(error.detail, hidden_forms(definition, settings))) from None


def _writing(definition: DestinationDefinition) -> list[Action]:
    every = (*definition.actions, definition.action)
    return [one for one in every if one is not None and one.writer is not None]


def _clean(answer: JSON, hidden: tuple[str, ...]) -> JSON:
    """The answer with secrets hidden wherever they stand in it."""
    from headwater.deliver.redact import redact

    if isinstance(answer, str):
        return redact(answer, hidden)
    if isinstance(answer, dict):
        return {key: _clean(value, hidden) for key, value in cast("dict[str, JSON]", answer).items()}
    if isinstance(answer, list):
        return [_clean(value, hidden) for value in cast("list[JSON]", answer)]
    return answer
