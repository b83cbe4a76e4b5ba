"""What every destination must keep: the promises of `headwater.destinations`, as checks over one file's declaration.

`check_declaration` looks at what a file declares, `check_case` at whether a golden case comes out as written, and that
the same events lead to the same requests, and `check_secrets` at whether what is secret stays out of samples. All raise
AssertionError with a sentence. The action is driven as deliver drives it.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec

from headwater.deliver.attempt import Attempted, attempt, preview
from headwater.deliver.plan import hidden_forms
from headwater.deliver.redact import SAMPLE_BYTES, sample_request, sample_response
from headwater.spec.destination import Action, Batch, DestinationDefinition, Item, Request, Response
from headwater.spec.errors import SetupError
from headwater.spec.event import EVENT_TYPES
from headwater.spec.outcome import REASONS, Step
from headwater.spec.wire import JSON

FIELD_TYPES = frozenset({"string", "text", "number", "boolean", "select", "map", "list", "password", "secrets"})


class ExpectedRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A request that a case expects: `headers` are all of them, and the body is text or JSON."""

    method: str
    url: str
    headers: dict[str, str]
    body: str | None = None
    json: JSON = None


class Canned(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An answer of a case's destination."""

    status: int = 200
    headers: dict[str, str] = {}
    body: str = ""


class Ending(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What becomes of the attempt: a step and reason, and the items that failed in a batch that was delivered."""

    step: str
    reason: str = ""
    failed: dict[int, str] = {}


class Case(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A golden case: these settings and events lead to these requests; with these answers, to this end.

    `why` says in a sentence what it shows. An event given as text is sent as it stands. `refused` is part of the
    sentence with which the settings are refused; then there are no requests.
    """

    why: str
    settings: dict[str, Any]
    events: list[JSON] = []
    requests: list[ExpectedRequest] = []
    responses: list[Canned] = []
    ends: Ending = Ending("delivered")
    refused: str = ""


def read_cases(folder: Path) -> list[Case]:
    """The cases of one destination's folder. Raises msgspec.ValidationError for a case of another shape."""
    files = sorted(folder.glob("*.yaml"))
    return [case for file in files for case in msgspec.yaml.decode(file.read_bytes(), type=list[Case])]


def items(case: Case) -> list[Item]:
    """The events of a case, as deliver would hand them over."""
    found: list[Item] = []
    for position, event in enumerate(case.events):
        body = event.encode() if isinstance(event, str) else msgspec.json.encode(event)
        read = msgspec.json.decode(body)
        found.append(Item(body, read.get("type", ""), read.get("event", ""), read.get("messageId", ""), position, 0))
    return found


def check_declaration(definition: DestinationDefinition, slug: str) -> None:
    """The declaration is whole: sentences where people read, known types, and bounds that deliver can keep."""
    assert definition.name.strip() == definition.name != "", f"{slug} has no proper name."
    assert definition.description.endswith("."), f"The description of {slug} is not a sentence."
    assert definition.website.startswith("https://"), f"The website of {slug} is not an https address."
    assert definition.categories, f"{slug} has no category."
    assert definition.event_types, f"{slug} takes no type of event."
    assert definition.event_types <= EVENT_TYPES, f"{slug} takes types of events that do not exist."
    actions = (definition.action,) if definition.action is not None else definition.actions
    assert actions, f"{slug} has no action."
    for action in actions:
        assert action.description.endswith("."), f"The action {action.slug} of {slug} is not described by a sentence."
    assert 0 < definition.concurrency <= 64, f"The concurrency of {slug} is out of bounds."
    assert definition.requests_per_second >= 0, f"The rate of {slug} is negative."
    keys = [field.key for field in definition.fields]
    assert len(set(keys)) == len(keys), f"Two fields of {slug} have the same key."
    for field in definition.fields:
        where = f"The field {field.key} of {slug}"
        assert field.type in FIELD_TYPES, f"{where} has the unknown type {field.type}."
        assert field.label and field.description.endswith("."), f"{where} is not described by a sentence."
        assert bool(field.choices) == (field.type == "select"), f"{where} has choices without being a select, or none."
        assert field.default is None or not field.secret, f"{where} is secret and has a default."
    required = {field.key for field in definition.fields if field.required}
    if required:
        try:
            definition.check({})
        except SetupError:
            return
        raise AssertionError(f"{slug} accepts settings without {', '.join(sorted(required))}.")


def check_case(definition: DestinationDefinition, case: Case) -> None:
    """The case comes out as it is written, twice."""
    if case.refused:
        _check_refused(definition, case)
        return
    definition.check(case.settings)
    batch = definition.batch(case.settings) if definition.batch is not None else Batch()
    assert len(case.events) <= batch.items, f"{case.why}\nThe case has more events than a batch of {batch.items}."
    first, ended = _run(definition, case)
    again, _ = _run(definition, case)
    assert first == again, f"{case.why}\nThe same events led to other requests the second time."
    found = [_shown(request, wanted) for request, wanted in zip(first, case.requests, strict=False)]
    assert len(first) == len(case.requests), f"{case.why}\nexpected {len(case.requests)} requests, found {len(first)}"
    assert found == case.requests, f"{case.why}\nexpected {case.requests}\nfound    {found}"
    verdict = ended.verdict
    ending = Ending(verdict.step, verdict.reason, {index: own.detail for index, own in verdict.items.items()})
    assert ending == case.ends, f"{case.why}\nexpected {case.ends}\nfound    {ending}"
    assert not verdict.reason or verdict.reason in REASONS[Step(verdict.step)], f"{verdict.reason} is no known reason."


def check_secrets(definition: DestinationDefinition, case: Case) -> None:
    """Nothing secret shows in samples or in a dry run, also when the destination echoes what it got."""
    if case.refused or not case.events:
        return
    secrets = [
        str(case.settings[field.key]) for field in definition.fields if field.secret and case.settings.get(field.key)
    ]
    hidden = hidden_forms(definition, case.settings)
    texts: list[str] = []
    for request in _run(definition, case)[0]:
        echo = msgspec.json.encode([request.url, request.headers, request.body.decode("utf-8", "replace")])
        texts += [sample_request(request, hidden), sample_response(Response(200, {}, echo), hidden, request)]
    for request in preview(_action(definition), case.settings, items(case), hidden).requests:
        texts.append(repr(request))
    for text in texts:
        assert len(text.encode()) <= SAMPLE_BYTES or text.startswith("Request("), f"{case.why}\nA sample is too long."
        assert "uthorization: Basic" not in text, f"{case.why}\nCredentials show:\n{text}"
        for secret in secrets:
            assert secret not in text, f"{case.why}\nA secret shows:\n{text}"


def _check_refused(definition: DestinationDefinition, case: Case) -> None:
    try:
        definition.check(case.settings)
    except SetupError as error:
        assert case.refused in str(error), f"{case.why}\nrefused with: {error}"
        return
    raise AssertionError(f"{case.why}\nThe settings were accepted.")


def _run(definition: DestinationDefinition, case: Case) -> tuple[list[Request], Attempted]:
    made: list[Request] = []

    async def exchange(request: Request) -> Response:
        made.append(request)
        canned = case.responses[len(made) - 1] if len(made) <= len(case.responses) else Canned()
        return Response(canned.status, canned.headers, canned.body.encode())

    tried = attempt(_action(definition), case.settings, items(case), exchange, credentials=definition.credentials)
    return made, asyncio.run(tried)


def _action(definition: DestinationDefinition) -> Action:
    assert definition.action is not None, "a destination with actions has cases of its own"
    return definition.action


def _shown(request: Request, wanted: ExpectedRequest) -> ExpectedRequest:
    body = request.body.decode()
    if wanted.body is not None:
        return ExpectedRequest(request.method, request.url, request.headers, body)
    return ExpectedRequest(request.method, request.url, request.headers, None, msgspec.json.decode(body))
