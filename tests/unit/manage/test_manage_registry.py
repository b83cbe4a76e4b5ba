"""Every operation of the folder is whole: named, described, scoped; and Segment's are Segment's."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from headwater.manage.openapi import document
from headwater.manage.operation import ANY_CALLER, Operation
from headwater.manage.operations import OPERATIONS
from headwater.manage.operations.sessions import CreateSession
from headwater.manage.pages import docs
from headwater.manage.passwords import Confidential
from headwater.manage.scopes import is_scope

FACTS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[2] / "cases" / "manage" / "segment_operations.json").read_text()
)
VERBS = {"list", "get", "create", "update", "replace", "add", "remove", "delete", "force"}
OWN_VERBS = VERBS | {
    "batch",
    "cancel",
    "echo",
    "pause",
    "preview",
    "resume",
    "stream",
    "trace",
    "query",
    "redrive",
    "set",
    "change",
    "explain",
    "unmerge",
    "simulate",
    "check",
    "resync",
    "clone",
    "compare",
    "run",
}
DOCUMENT = document(OPERATIONS)
every_operation = pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS.keys())


@every_operation
def test_an_operation_is_a_verb_a_noun_and_a_sentence(operation: Operation) -> None:
    verb, _, noun = operation.name.partition("_")
    assert verb in OWN_VERBS
    assert noun or operation.name == "echo"
    assert operation.sentence.endswith(".")
    assert len(operation.sentence.splitlines()) == 1


@every_operation
def test_an_operation_needs_one_scope_that_fits_what_it_does(operation: Operation) -> None:
    if operation.scope == ANY_CALLER:
        assert operation.tag == "Sessions", "what everybody may do is about themselves"
        return
    assert is_scope(operation.scope)
    assert "*" not in operation.scope
    if operation.changes:
        assert operation.scope.endswith(":write")


def test_signing_in_is_all_that_needs_no_token() -> None:
    assert [one.name for one in OPERATIONS.values() if one.open] == ["create_session"]
    for path in DOCUMENT["paths"].values():
        for described in path.values():
            assert (described.get("security") == []) == (described["operationId"] == "createSession")


def test_what_holds_a_secret_does_not_show_it() -> None:
    secret = {
        kind
        for one in OPERATIONS.values()
        for kind in (one.request, one.answer)
        for field in msgspec.structs.fields(kind)
        if field.name in {"password", "current", "text", "token"} and "str" in str(field.type)
    }
    assert {"CreateSession", "CreateSessionAnswer", "CreateTokenAnswer", "ChangeOwnPassword"} <= {
        kind.__name__ for kind in secret
    }
    assert all(issubclass(kind, Confidential) for kind in secret)
    assert repr(CreateSession(email="a@b.c", password="guess me")) == "CreateSession(...)"


@every_operation
def test_every_field_of_a_request_is_described(operation: Operation) -> None:
    schema = DOCUMENT["components"]["schemas"][operation.request.__name__]
    for name, field in schema.get("properties", {}).items():
        described = "description" in field or any("description" in one for one in field.get("anyOf", ()))
        assert described, name
    assert schema["description"]
    assert DOCUMENT["components"]["schemas"][operation.answer.__name__]["description"]


@every_operation
def test_the_path_takes_its_fields_from_the_request(operation: Operation) -> None:
    names = {field.encode_name for field in msgspec.structs.fields(operation.request)}
    assert set(operation.path_fields) <= names
    described = DOCUMENT["paths"][operation.path][operation.method.lower()]
    assert {one["name"] for one in described["parameters"] if one["in"] == "path"} == set(operation.path_fields)


def test_shapes_have_names_of_their_own() -> None:
    kinds = {kind for one in OPERATIONS.values() for kind in (one.request, one.answer)}
    assert len({kind.__name__ for kind in kinds}) == len(kinds)


def test_the_document_holds_every_operation_and_loads_nothing_from_outside() -> None:
    assert DOCUMENT["openapi"] == "3.1.0"
    ids = [one["operationId"] for path in DOCUMENT["paths"].values() for one in path.values()]
    assert sorted(ids) == sorted(one.wire_name for one in OPERATIONS.values())
    page = docs(OPERATIONS)
    assert "http://" not in page
    assert "https://" not in page
    assert "<script" not in page
    assert all(one.wire_name in page for one in OPERATIONS.values())


def test_every_reference_of_the_document_leads_somewhere() -> None:
    def references(node: Any) -> list[str]:
        if isinstance(node, dict):
            own = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
            return own + [ref for one in node.values() for ref in references(one)]
        return [ref for one in node for ref in references(one)] if isinstance(node, list) else []

    for reference in references(DOCUMENT):
        assert reference.removeprefix("#/components/schemas/") in DOCUMENT["components"]["schemas"]


@pytest.mark.parametrize("fact", FACTS, ids=[fact["operation"] for fact in FACTS])
def test_an_operation_of_segments_has_its_path_its_arguments_and_its_answer(fact: dict[str, Any]) -> None:
    operation = next(one for one in OPERATIONS.values() if one.wire_name == fact["operation"])
    assert (operation.method, operation.path, operation.status) == (fact["method"], fact["path"], fact["status"])
    names = {field.encode_name for field in msgspec.structs.fields(operation.request)}
    assert {name.rstrip("?") for name in [*fact["query"], *fact["body"]]} <= names
    missing = [path for path in fact["data"] if not _holds(operation.answer.__name__, path)]
    assert [path for path in missing if not path.endswith("?")] == []


@pytest.mark.parametrize("fact", FACTS, ids=[fact["operation"] for fact in FACTS])
def test_what_segment_does_not_require_is_not_required(fact: dict[str, Any]) -> None:
    operation = next(one for one in OPERATIONS.values() if one.wire_name == fact["operation"])
    required = {field.encode_name for field in msgspec.structs.fields(operation.request) if field.required}
    wanted = {name for name in [*fact["query"], *fact["body"]] if not name.endswith("?")}
    assert required - set(operation.path_fields) <= wanted


def _holds(name: str, path: str) -> bool:
    schema: dict[str, Any] = DOCUMENT["components"]["schemas"][name]
    for part in path.rstrip("?").replace("[].", "[]/").replace(".", "/").split("/"):
        schema = _resolved(schema)
        if "properties" not in schema:
            return True  # free JSON, which may hold anything
        if part.removesuffix("[]") not in schema["properties"]:
            return False
        schema = schema["properties"][part.removesuffix("[]")]
        if part.endswith("[]"):
            schema = _resolved(schema)["items"]
    return True


def _resolved(schema: dict[str, Any]) -> dict[str, Any]:
    options = [one for one in schema.get("anyOf", ()) if one.get("type") != "null"]
    if options:
        schema = options[0]
    if "$ref" in schema:
        return _resolved(DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]])
    return schema
