"""From a request Struct to options of a command, and from what was typed to path, query and body.

A field that the path holds is an argument; the others are options by their names. A field with fields of its own is
given as JSON, as `name=value` pairs (each its own `--option`), or both, later ones winning; `@FILE` reads the JSON from
a file. Of a query, the page is `--count` and `--cursor`. A secret need not stand on the command line (`secrets.py`).
"""

from __future__ import annotations

import inspect as python
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import msgspec
import typer
from msgspec import inspect
from rich.markup import escape

if TYPE_CHECKING:
    from headwater.manage.operation import Operation

_PAGE = "pagination"
UNSEEN = "TEXT|-"
"""What stands for the text of a secret in help."""

_SCALARS: tuple[tuple[type[inspect.Type], type], ...] = (
    (inspect.BoolType, bool),
    (inspect.IntType, int),
    (inspect.FloatType, float),
    (inspect.StrType, str),
)


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """One option or argument. `form` is how its text is read: `scalar`, `list`, `items` or `object`.

    A `secret` is not shown while it is typed, and is asked for when it is required and was not given.
    """

    name: str
    wire: str
    kind: Any
    form: str
    required: bool
    sentence: str
    in_path: bool
    secret: bool = False

    @property
    def flag(self) -> str:
        """The option."""
        return "--" + self.name.strip("_").replace("_", "-")


def fields(operation: Operation) -> list[Field]:
    """The options and arguments of an operation, those of the path first."""
    made = list(_of_struct(operation.request, operation.path_fields))
    order = {wire: place for place, wire in enumerate(operation.path_fields)}
    return sorted(made, key=lambda field: order.get(field.wire, len(order)))


def parameter(field: Field) -> python.Parameter:
    """The field as a parameter that Typer turns into an option or argument."""
    kind: Any = {"list": list[field.kind], "items": list[str], "object": list[str]}.get(field.form, field.kind)
    if field.in_path:
        info = typer.Argument(help=escape(field.sentence) or None, metavar=field.name.upper(), show_default=False)
        return python.Parameter(field.name, python.Parameter.KEYWORD_ONLY, annotation=Annotated[kind, info])
    flags = f"{field.flag}/--no{field.flag[1:]}" if field.kind is bool and field.form == "scalar" else field.flag
    metavar = UNSEEN if field.secret else {"items": "JSON", "object": "NAME=VALUE|JSON"}.get(field.form)
    option = typer.Option(flags, help=escape(_told(field)) or None, show_default=False, metavar=metavar)
    if field.required and not field.secret:
        return python.Parameter(field.name, python.Parameter.KEYWORD_ONLY, annotation=Annotated[kind, option])
    return python.Parameter(
        field.name, python.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[kind | None, option]
    )


def values(made: Sequence[Field], typed: Mapping[str, Any]) -> dict[str, Any]:
    """What was typed as the request's fields, by dotted wire names. Raises a usage error for what cannot be read."""
    return {
        field.wire: _value(field, typed[field.name])
        for field in made
        if typed.get(field.name) is not None and (field.required or typed[field.name] != [])
    }


def query(given: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Values as the pairs of a query: nested names are parted by dots, lists carry their indexes."""
    return [pair for name, value in given.items() for pair in _pairs(name, value)]


def read_json(text: str, hint: str) -> Any:
    """JSON that was typed, or that the file after `@` holds. Raises a usage error."""
    try:
        return msgspec.json.decode(Path(text[1:]).read_bytes() if text.startswith("@") else text.encode())
    except OSError as error:
        raise typer.BadParameter(f"{text[1:]} cannot be read: {error.strerror}.", param_hint=hint) from error
    except msgspec.DecodeError as error:
        raise typer.BadParameter(f"This is not JSON: {error}.", param_hint=hint) from error


def read_object(texts: Sequence[str], hint: str) -> dict[str, Any]:
    """One object out of JSON objects and `name=value` pairs; a value that is JSON is taken as such, else as text."""
    made: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if text.startswith(("{", "@")):
            part = read_json(text, hint)
            if not isinstance(part, dict):
                raise typer.BadParameter("The JSON must be an object.", param_hint=hint)
            made |= cast("dict[str, Any]", part)
        elif equals and name:
            made[name.strip()] = guess(value)
        else:
            raise typer.BadParameter(f"{text!r} is neither NAME=VALUE nor a JSON object.", param_hint=hint)
    return made


def guess(text: str) -> Any:
    """A number, true, false, null, an object or a list where the text is that in JSON; else the text."""
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text


def _of_struct(struct: type[msgspec.Struct], path: Sequence[str], prefix: str = "") -> Iterator[Field]:
    info = inspect.type_info(struct)
    assert isinstance(info, inspect.StructType)
    for field in info.fields:
        kind, sentence, secret = _plain(field.type)
        if field.name == _PAGE and isinstance(kind, inspect.StructType):
            yield from _of_struct(kind.cls, (), f"{field.encode_name}.")
            continue
        form, python_type = _form(kind)
        yield Field(
            name=field.name,
            wire=prefix + field.encode_name,
            kind=python_type,
            form=form,
            required=field.required or field.encode_name in path,
            sentence=sentence,
            in_path=field.encode_name in path,
            secret=secret,
        )


def _told(field: Field) -> str:
    if not field.secret:
        return field.sentence
    asked = "Asked for when absent" if field.required else "- asks for it"
    return f"{field.sentence} {asked}; - reads standard input where there is no terminal."


def _plain(kind: inspect.Type) -> tuple[inspect.Type, str, bool]:
    """The type without its annotations and without `None` and `UNSET`, its sentence, and whether it is a secret."""
    sentence, secret = "", False
    while True:
        if isinstance(kind, inspect.Metadata):
            told = kind.extra_json_schema or {}
            sentence = sentence or str(told.get("description", ""))
            secret = secret or told.get("format") == "password"
            kind = kind.type
        elif isinstance(kind, inspect.UnionType):
            nothing = (inspect.NoneType,)
            left = [one for one in kind.types if not isinstance(one, nothing)]
            if len(left) != 1:
                return kind, sentence, secret
            kind = left[0]
        else:
            return kind, sentence, secret


def _form(kind: inspect.Type) -> tuple[str, Any]:
    scalar = _scalar(kind)
    if scalar is not None:
        return "scalar", scalar
    if isinstance(kind, (inspect.ListType, inspect.VarTupleType, inspect.SetType, inspect.FrozenSetType)):
        item = _scalar(_plain(kind.item_type)[0])
        return ("list", item) if item is not None else ("items", str)
    return "object", str


def _scalar(kind: inspect.Type) -> Any:
    if isinstance(kind, inspect.LiteralType) and all(isinstance(value, str) for value in kind.values):
        return Enum("Choice", {f"choice_{value}": value for value in kind.values if value})
    if isinstance(kind, inspect.EnumType):
        return kind.cls
    if isinstance(kind, inspect.UnionType):
        kinds = {_scalar(_plain(one)[0]) for one in kind.types if not isinstance(one, inspect.NoneType)}
        return str if kinds <= {str, int, float} else None
    return next((python_type for one, python_type in _SCALARS if isinstance(kind, one)), None)


def _value(field: Field, typed: Any) -> Any:
    hint = field.flag
    match field.form:
        case "object":
            return read_object(typed, hint)
        case "items":
            read = [read_json(text, hint) for text in typed]
            return [item for part in read for item in (cast("list[Any]", part) if isinstance(part, list) else [part])]
        case "list":
            return [_bare(one) for one in typed]
        case _:
            return _bare(typed)


def _bare(value: Any) -> Any:
    return value.value if isinstance(value, Enum) else value


def _pairs(name: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for inner, item in cast("dict[str, Any]", value).items():
            yield from _pairs(f"{name}.{inner}", item)
    elif isinstance(value, list):
        for place, item in enumerate(cast("list[Any]", value)):
            yield from _pairs(f"{name}[{place}]", item)
    elif isinstance(value, bool):
        yield name, "true" if value else "false"
    elif value is not None:
        yield name, str(value)
