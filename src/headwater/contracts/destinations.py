"""What every destination must keep: the promises of `headwater.destinations`, as checks over one file's declaration.

`check_declaration` looks at what a file declares, `check_case` at whether a golden case comes out as written, and that
the same events lead to the same requests, and `check_secrets` at whether what is secret stays out of samples. All raise
AssertionError with a sentence. What is native is driven as deliver drives it; whoever performs actions in another way
gives `check_case` a `Drive` of their own. How a destination fares with a receiver that misbehaves is looked at in
`destination_trials.py`.
"""

from __future__ import annotations

import asyncio
import gzip
import io
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, cast
from urllib.parse import parse_qsl

import msgspec

from headwater.deliver.attempt import Attempted, attempt, preview
from headwater.deliver.plan import hidden_forms
from headwater.deliver.redact import SAMPLE_BYTES, sample_request, sample_response
from headwater.deliver.subscribed import subscribed_ways
from headwater.deliver.ways import Way
from headwater.spec.destination import (
    Action,
    Batch,
    DestinationDefinition,
    Exchange,
    Field,
    Item,
    Preset,
    Request,
    Response,
)
from headwater.spec.errors import SetupError
from headwater.spec.event import EVENT_TYPES
from headwater.spec.fql import compile_trigger, parse
from headwater.spec.mapping import compile_mapping
from headwater.spec.outcome import REASONS, Step
from headwater.spec.payload import compile_fields
from headwater.spec.wire import JSON
from headwater.spec.workspace import Destination, Subscription

FIELD_TYPES = frozenset({"string", "text", "number", "boolean", "select", "map", "list", "password", "secrets"})
ACTION_FIELD_TYPES = frozenset({"string", "text", "number", "integer", "datetime", "boolean", "password", "object"})
AUTHENTICATIONS = frozenset({"none", "custom", "basic", "oauth2", "oauth2-client-credentials", "oauth-managed"})


class ExpectedRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A request that a case expects: `headers` are all of them, and `*` stands for any value.

    The body is text, JSON, a form, gzipped lines of JSON, or the rows of a Parquet file.
    """

    method: str
    url: str
    headers: dict[str, str]
    body: str | None = None
    json: JSON = None
    form: dict[str, str] | None = None
    lines: list[JSON] | None = None
    rows: list[dict[str, JSON]] | None = None


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
    sentence with which the settings are refused; then there are no requests. For a destination with subscriptions,
    `action` is the slug of what the events lead to; `trigger` and `mapping` are those of the subscription, by default
    the action's own, and what `mapped` holds is put over the mapping. Events that the trigger does not take are left
    out, and must be none when `requests` or an ending are expected of them.
    """

    why: str
    settings: dict[str, Any]
    events: list[JSON] = []
    requests: list[ExpectedRequest] = []
    responses: list[Canned] = []
    ends: Ending = Ending("delivered")
    refused: str = ""
    action: str = ""
    trigger: str = ""
    mapping: dict[str, Any] | None = None
    mapped: dict[str, Any] = {}


Drive = Callable[[DestinationDefinition, Case, Exchange], Awaitable[Attempted]]
"""How a case's events are tried."""


def read_cases(folder: Path) -> list[Case]:
    """The cases of one destination's folder. Raises msgspec.ValidationError for a case of another shape."""
    files = sorted(folder.glob("*.yaml"))
    return [case for file in files for case in msgspec.yaml.decode(file.read_bytes(), type=list[Case])]


def items(events: Sequence[JSON]) -> list[Item]:
    """Events as deliver would hand them over."""
    found: list[Item] = []
    for position, event in enumerate(events):
        body = event.encode() if isinstance(event, str) else msgspec.json.encode(event)
        read = msgspec.json.decode(body)
        name = read.get("event") or read.get("name") or ""
        found.append(Item(body, read.get("type", ""), name, read.get("messageId", ""), position, _arrived(read)))
    return found


def _arrived(event: dict[str, JSON]) -> int:
    at = event.get("receivedAt")
    return int(datetime.fromisoformat(at).timestamp() * 1000) if isinstance(at, str) else 0


def subscribed(definition: DestinationDefinition, case: Case) -> Way:
    """The way of a case's subscription, compiled as deliver compiles it."""
    action = definition.find(case.action)
    assert action is not None, f"{case.why}\n{definition.name} has no action {case.action!r}."
    mapping = {**(defaults(action) if case.mapping is None else case.mapping), **case.mapped}
    subscription = Subscription(
        id="s", name="Case", action=action.slug, trigger=case.trigger or action.trigger, mapping=mapping
    )
    destination = Destination(id="d", source_id="s", definition="d", name="Case", subscriptions=(subscription,))
    (way,) = subscribed_ways(destination, definition, case.settings, None)
    assert not way.broken, f"{case.why}\n{way.broken}"
    return way


def defaults(action: Action) -> dict[str, Any]:
    """The mapping of an action for which nobody gave one."""
    return {field.key: field.default for field in action.fields if field.default is not None}


async def natively(definition: DestinationDefinition, case: Case, exchange: Exchange) -> Attempted:
    """Try a case as deliver tries what is native."""
    if definition.action is not None:
        credentials = definition.credentials
        return await attempt(definition.action, case.settings, items(case.events), exchange, credentials=credentials)
    way = subscribed(definition, case)
    due = [item for item in items(case.events) if way.holds is None or way.holds(item.read())]
    assert len(due) == len(case.events), f"{case.why}\nThe trigger does not take every event."
    return await way.run(due, exchange)


def check_declaration(definition: DestinationDefinition, slug: str) -> None:
    """The declaration is whole: sentences where people read, known types, and bounds that deliver can keep."""
    assert definition.name.strip() == definition.name != "", f"{slug} has no proper name."
    assert definition.description.endswith("."), f"The description of {slug} is not a sentence."
    assert definition.website.startswith("https://"), f"The website of {slug} is not an https address."
    assert definition.categories, f"{slug} has no category."
    assert definition.event_types, f"{slug} takes no type of event."
    assert definition.event_types <= EVENT_TYPES, f"{slug} takes types of events that do not exist."
    assert definition.authentication in AUTHENTICATIONS, f"The authentication of {slug} is of no known kind."
    assert bool(definition.actions) != (definition.action is not None), f"{slug} needs one action, or several."
    assert 0 < definition.concurrency <= 64, f"The concurrency of {slug} is out of bounds."
    assert definition.requests_per_second >= 0, f"The rate of {slug} is negative."
    _check_settings(definition.fields, slug)
    for action in (definition.action,) if definition.action is not None else definition.actions:
        _check_action(action, slug, subscribed=bool(definition.actions))
    assert len({action.slug for action in definition.actions}) == len(definition.actions), f"{slug}: a slug is twice."
    for preset in definition.presets:
        _check_preset(definition, preset, slug)
    required = {field.key for field in definition.fields if field.required}
    if required:
        try:
            definition.check({})
        except SetupError:
            return
        raise AssertionError(f"{slug} accepts settings without {', '.join(sorted(required))}.")


def _check_settings(fields: Sequence[Field], slug: str) -> None:
    keys = [field.key for field in fields]
    assert len(set(keys)) == len(keys), f"Two fields of {slug} have the same key."
    for field in fields:
        where = f"The field {field.key} of {slug}"
        assert field.type in FIELD_TYPES, f"{where} has the unknown type {field.type}."
        assert field.label and field.description.endswith("."), f"{where} is not described by a sentence."
        assert bool(field.choices) == (field.type == "select"), f"{where} has choices without being a select, or none."
        assert field.default is None or not field.secret, f"{where} is secret and has a default."


def _check_action(action: Action, slug: str, *, subscribed: bool) -> None:
    where = f"The action {action.slug} of {slug}"
    assert action.description.endswith("."), f"{where} is not described by a sentence."
    assert (action.steps is None) != (action.writer is None), f"{where} needs either steps or a writer."
    assert not subscribed or (action.slug and action.trigger), f"{where} has no slug or no trigger."
    if action.trigger:
        compile_trigger(parse(action.trigger))
    keys = {field.key for field in action.fields}
    assert len(keys) == len(action.fields), f"{where} has two fields with the same key."
    for field in action.fields:
        assert field.type in ACTION_FIELD_TYPES, f"{where}: the field {field.key} has the unknown type {field.type}."
        assert field.label and field.description.endswith("."), f"{where}: {field.key} is not described by a sentence."
    compile_mapping(defaults(action))
    compile_fields(action.fields)
    if action.batch is not None:
        batch = action.batch({}, {**defaults(action), "enable_batching": True})
        assert batch.items >= 1 and 0 <= batch.wait <= 60, f"{where} has a batch out of bounds."
        assert set(batch.keys) <= keys, f"{where} groups by fields that it has not."


def _check_preset(definition: DestinationDefinition, preset: Preset, slug: str) -> None:
    action = definition.find(preset.action)
    assert action is not None, f"The preset {preset.name} of {slug} is of no action."
    assert preset.mapping.keys() <= {field.key for field in action.fields}, f"{preset.name} maps to unknown fields."
    missing = [field.key for field in action.fields if field.required and field.key not in preset.mapping]
    assert not missing, f"The preset {preset.name} of {slug} maps nothing to {', '.join(missing)}."
    compile_trigger(parse(preset.trigger))
    compile_mapping(preset.mapping)


def check_case(definition: DestinationDefinition, case: Case, drive: Drive = natively) -> None:
    """The case comes out as it is written, twice."""
    if case.refused:
        _check_refused(definition, case)
        return
    definition.check(case.settings)
    batch = _batch(definition, case)
    assert len(case.events) <= batch.items, f"{case.why}\nThe case has more events than a batch of {batch.items}."
    first, ended = _run(definition, case, drive)
    again, _ = _run(definition, case, drive)
    assert first == again, f"{case.why}\nThe same events led to other requests the second time."
    found = [_shown(request, wanted) for request, wanted in zip(first, case.requests, strict=False)]
    assert len(first) == len(case.requests), f"{case.why}\nexpected {len(case.requests)} requests, found {first}"
    assert found == case.requests, f"{case.why}\nexpected {case.requests}\nfound    {found}"
    verdict = ended.verdict
    ending = Ending(verdict.step, verdict.reason, {index: own.detail for index, own in verdict.items.items()})
    assert ending == case.ends, f"{case.why}\nexpected {case.ends}\nfound    {ending}"
    assert not verdict.reason or verdict.reason in REASONS[Step(verdict.step)], f"{verdict.reason} is no known reason."


def _batch(definition: DestinationDefinition, case: Case) -> Batch:
    if definition.action is None:
        return subscribed(definition, case).batch if not definition.worker else Batch(items=len(case.events))
    return definition.batch(case.settings) if definition.batch is not None else Batch()


def check_secrets(definition: DestinationDefinition, case: Case) -> None:
    """Nothing secret shows in samples or in a dry run, also when the destination echoes what it got."""
    if case.refused or not case.events:
        return
    secrets = [
        str(case.settings[field.key]) for field in definition.fields if field.secret and case.settings.get(field.key)
    ]
    hidden = hidden_forms(definition, case.settings)
    texts: list[str] = []
    for request in _run(definition, case, natively)[0]:
        echo = msgspec.json.encode([request.url, request.headers, request.body.decode("utf-8", "replace")])
        texts += [sample_request(request, hidden), sample_response(Response(200, {}, echo), hidden, request)]
    action, prepared = _prepared(definition, case)
    for request in preview(action, case.settings, prepared, hidden).requests if prepared else ():
        texts.append(repr(request))
    for text in texts:
        assert len(text.encode()) <= SAMPLE_BYTES or text.startswith("Request("), f"{case.why}\nA sample is too long."
        assert "uthorization: Basic" not in text, f"{case.why}\nCredentials show:\n{text}"
        for secret in secrets:
            assert secret not in text, f"{case.why}\nA secret shows:\n{text}"


def _prepared(definition: DestinationDefinition, case: Case) -> tuple[Action, list[Item]]:
    """The action of a case, and its items with their payloads, but for those that have none."""
    if definition.action is not None:
        return definition.action, items(case.events)
    action = definition.find(case.action)
    assert action is not None
    mapped = compile_mapping({**(defaults(action) if case.mapping is None else case.mapping), **case.mapped})
    fill = compile_fields(action.fields)
    found: list[Item] = []
    for item in items(case.events):
        payload, problems = fill(mapped(item.read()), False)
        if not problems:
            found.append(msgspec.structs.replace(item, payload=payload))
    return action, found


def _check_refused(definition: DestinationDefinition, case: Case) -> None:
    try:
        definition.check(case.settings)
    except SetupError as error:
        assert case.refused in str(error), f"{case.why}\nrefused with: {error}"
        return
    raise AssertionError(f"{case.why}\nThe settings were accepted.")


def _run(definition: DestinationDefinition, case: Case, drive: Drive) -> tuple[list[Request], Attempted]:
    made: list[Request] = []

    async def exchange(request: Request) -> Response:
        made.append(request)
        canned = case.responses[len(made) - 1] if len(made) <= len(case.responses) else Canned()
        return Response(canned.status, canned.headers, canned.body.encode())

    async def run() -> Attempted:
        return await drive(definition, case, exchange)

    return made, asyncio.run(run())


def _shown(request: Request, wanted: ExpectedRequest) -> ExpectedRequest:
    """The request in the form in which a case wants it."""
    headers = {name: "*" if wanted.headers.get(name) == "*" else value for name, value in request.headers.items()}
    bare = ExpectedRequest(request.method, request.url, headers)
    body = request.body
    if wanted.rows is not None:
        from pyarrow import parquet

        rows = cast("list[dict[str, Any]]", parquet.read_table(io.BytesIO(body)).to_pylist())
        return msgspec.structs.replace(bare, rows=[_plain(row) for row in rows])
    if wanted.lines is not None:
        lines = gzip.decompress(body).splitlines()
        return msgspec.structs.replace(bare, lines=[msgspec.json.decode(line) for line in lines])
    if wanted.form is not None:
        return msgspec.structs.replace(bare, form=dict(parse_qsl(body.decode(), keep_blank_values=True)))
    if wanted.json is not None:
        return msgspec.structs.replace(bare, json=msgspec.json.decode(body))
    return msgspec.structs.replace(bare, body=body.decode() if wanted.body is not None or body else None)


def _plain(row: dict[str, Any]) -> dict[str, JSON]:
    return {key: value.isoformat() if isinstance(value, datetime) else value for key, value in row.items()}
