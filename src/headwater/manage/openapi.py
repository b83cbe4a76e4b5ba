"""The OpenAPI 3.1 document, read off the registry."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from headwater import __version__
from headwater.manage.operation import Operation
from headwater.manage.problems import Problem

_MEDIA = "application/json"


class Errors(msgspec.Struct, frozen=True):
    """The body of every answer that is not a success: all that is wrong."""

    errors: list[Problem]


def document(operations: Mapping[str, Operation]) -> dict[str, Any]:
    """Every operation with its parameters, body and answers."""
    kinds = sorted(
        {kind for one in operations.values() for kind in (one.request, one.answer)}, key=lambda k: k.__name__
    )
    refs, components = msgspec.json.schema_components([*kinds, Errors], ref_template="#/components/schemas/{name}")
    schemas = dict(zip([*kinds, Errors], refs, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for one in operations.values():
        paths.setdefault(one.path, {})[one.method.lower()] = _described(one, schemas, components)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Headwater",
            "version": __version__,
            "description": "All that can be asked of the house. Where Segment has the operation, it is Segment's.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "security": [{"token": []}],
        "tags": [{"name": tag} for tag in sorted({one.tag for one in operations.values()})],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _described(operation: Operation, schemas: Mapping[Any, Any], components: Mapping[str, Any]) -> dict[str, Any]:
    fields = components[operation.request.__name__].get("properties", {})
    needed = set(components[operation.request.__name__].get("required", ()))
    media = "text/event-stream" if operation.stream else _MEDIA
    answer = schemas[operation.answer]
    content = answer if operation.stream else {"type": "object", "required": ["data"], "properties": {"data": answer}}
    if operation.gives:
        media, content = operation.gives, {"type": "string"}
    refused = {"description": "Refused", "content": {_MEDIA: {"schema": schemas[Errors]}}}
    described: dict[str, Any] = {
        "operationId": operation.wire_name,
        "tags": [operation.tag],
        "summary": operation.sentence.splitlines()[0],
        "description": f"{operation.sentence}\n\nNeeds {operation.needs}.",
        "parameters": list(_parameters(operation, fields, needed)),
        "responses": {
            str(operation.status): {"description": "Done", "content": {media: {"schema": content}}},
            **dict.fromkeys(("401", "404", "422", "429"), refused),
        },
    }
    if operation.open:
        described["security"] = []
    body = {name: schema for name, schema in fields.items() if name not in operation.path_fields}
    if operation.reads_body and body:
        schema = {"type": "object", "properties": body, "required": sorted(needed & set(body))}
        described["requestBody"] = {"required": bool(needed & set(body)), "content": {_MEDIA: {"schema": schema}}}
    if operation.takes:
        text = {"schema": {"type": "string", "maxLength": operation.most_bytes}}
        described["requestBody"] = {"required": True, "content": {operation.takes: text}}
    return described


def _parameters(operation: Operation, fields: Mapping[str, Any], needed: set[str]) -> Iterable[dict[str, Any]]:
    for name, schema in fields.items():
        in_path = name in operation.path_fields
        if not in_path and operation.reads_body:
            continue
        parameter: dict[str, Any] = {
            "name": name,
            "in": "path" if in_path else "query",
            "required": in_path or name in needed,
            "schema": schema,
        }
        if "$ref" in schema or "anyOf" in schema or "allOf" in schema:
            parameter |= {"style": "deepObject", "explode": True}
        if "description" in schema:
            parameter["description"] = schema["description"]
        yield parameter
