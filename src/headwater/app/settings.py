"""Reading the settings: flags, then environment, then file, then defaults. The only reader of the environment.

A setting `port` of the room `collect` is `collect.port` on the command line (`--set collect.port=80`),
`HEADWATER_COLLECT_PORT` (or `HEADWATER_COLLECT__PORT`) in the environment and `port` under `[collect]` in the file. The
file is `headwater.toml` in the current folder, or the one that `--config` or `HEADWATER_CONFIG` names.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_origin, get_type_hints

import msgspec

from headwater.spec.errors import SetupError
from headwater.spec.settings import Settings

PREFIX = "HEADWATER_"
DEFAULT_FILE = "headwater.toml"
SHORT_NAMES = {"HEADWATER_LOG": "log.url", "HEADWATER_STORE": "store.url"}
OF_THE_CLIENT = frozenset({"HEADWATER_CONFIG", "HEADWATER_URL", "HEADWATER_TOKEN"})
"""Names that belong to the command line itself: the file, and where the management API is and the token for it."""
SECRET = frozenset({"admin_token", "write_key", "store.url", "log.url", "log.kafka", "warehouse.archive_options"})


class Value(msgspec.Struct, frozen=True):
    """One setting as it is in force, with where it came from."""

    name: str
    value: Any
    origin: str
    sentence: str


def read(
    flags: Mapping[str, str] | None = None, *, environ: Mapping[str, str] | None = None, file: Path | None = None
) -> Settings:
    """The settings in force. Raises SetupError naming the setting that is unknown or has the wrong form."""
    return _build({name: value for name, (value, _) in _gather(flags, environ, file).items()})


def explain(flags: Mapping[str, str] | None = None, *, file: Path | None = None) -> list[Value]:
    """Every setting with its value, origin and sentence; secrets are masked."""
    found = _gather(flags, None, file)
    settings = _build({name: value for name, (value, _) in found.items()})
    return [
        Value(
            name,
            "••••" if name in SECRET and _get(settings, name) else _get(settings, name),
            found.get(name, ("", "default"))[1],
            sentence,
        )
        for name, _, sentence in fields()
    ]


def client_settings(environ: Mapping[str, str] | None = None) -> tuple[str, str]:
    """The URL and token that the command line uses towards a running house; empty where not set."""
    source = os.environ if environ is None else environ
    return source.get("HEADWATER_URL", ""), source.get("HEADWATER_TOKEN", "")


def environment_of_destinations(settings: Settings) -> dict[str, str]:
    """What Segment's destinations may see of the environment: the variables that the settings name, if they are set."""
    return {name: os.environ[name] for name in settings.catalogue.environment if name in os.environ}


def child_environment(**more: str) -> dict[str, str]:
    """The environment for a process that the supervisor starts."""
    return dict(os.environ) | more


def fields() -> Iterator[tuple[str, Any, str]]:
    """Every setting: dotted name, type, sentence."""
    for name, kind in get_type_hints(Settings, include_extras=True).items():
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
            for inner, annotated in get_type_hints(kind, include_extras=True).items():
                yield f"{name}.{inner}", annotated.__origin__, annotated.__metadata__[0].description
        else:
            yield name, kind.__origin__, kind.__metadata__[0].description


def environment_name(name: str) -> str:
    """The environment variable of a setting."""
    return PREFIX + name.replace(".", "_").upper()


def _gather(
    flags: Mapping[str, str] | None, environ: Mapping[str, str] | None, file: Path | None
) -> dict[str, tuple[Any, str]]:
    environment = os.environ if environ is None else environ
    known = {name: kind for name, kind, _ in fields()}
    found: dict[str, tuple[Any, str]] = {}
    path = file or Path(environment.get("HEADWATER_CONFIG", DEFAULT_FILE))
    if path.exists():
        found.update((name, (value, str(path))) for name, value in _from_file(path))
    elif file is not None or "HEADWATER_CONFIG" in environment:
        raise SetupError(f"The settings file {path} does not exist.")
    found.update((name, (value, variable)) for name, value, variable in _from_environment(environment, known))
    found.update((name, (value, "flag")) for name, value in (flags or {}).items())
    for name in found:
        if name not in known:
            raise SetupError(f"There is no setting {name}.{_meant(name, list(known))}")
    return {name: (_split(value, known[name]), origin) for name, (value, origin) in found.items()}


def _from_file(path: Path) -> Iterator[tuple[str, Any]]:
    try:
        table = tomllib.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise SetupError(f"The settings file {path} cannot be read: {error}") from error
    for name, value in table.items():
        if isinstance(value, dict):
            for inner, item in value.items():
                yield f"{name}.{inner}", item
        else:
            yield name, value


def _from_environment(environ: Mapping[str, str], known: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    names = {environment_name(name): name for name in known} | SHORT_NAMES
    names |= {PREFIX + name.replace(".", "__").upper(): name for name in known}
    for variable, value in environ.items():
        if variable.startswith(PREFIX) and variable not in OF_THE_CLIENT:
            if variable not in names:
                raise SetupError(f"There is no setting {variable}.{_meant(variable, list(names))}")
            yield names[variable], value, variable


def _meant(word: str, known: list[str]) -> str:
    close = difflib.get_close_matches(word, known, n=1)
    return f" Did you mean {close[0]}?" if close else " `headwater settings` lists them all."


def _split(value: Any, kind: Any) -> Any:
    if isinstance(value, str) and get_origin(kind) is tuple:
        return [part.strip() for part in value.split(",") if part.strip()]
    return value


def _build(values: Mapping[str, Any]) -> Settings:
    tree: dict[str, Any] = {}
    for name, value in values.items():
        room, _, field = name.rpartition(".")
        (tree.setdefault(room, {}) if room else tree)[field] = value
    try:
        return msgspec.convert(tree, Settings, strict=False)
    except msgspec.ValidationError as error:
        said, _, path = str(error).partition(" - at `$.")
        name = f"The setting {path.removesuffix('`')}" if path else "A setting"
        raise SetupError(f"{name} has the wrong form: {said}.") from error


def _get(settings: Settings, name: str) -> Any:
    value: Any = settings
    for part in name.split("."):
        value = getattr(value, part)
    return value
