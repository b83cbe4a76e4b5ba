"""Writes the reference pages and `.env.example` from the code that they describe (`make docs`).

Every page is a function that returns its text. `tests/docs` fails when a committed page differs from what is made here.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, get_args, get_origin

from prometheus_client.metrics import MetricWrapperBase

from headwater import destinations, telemetry
from headwater.app import settings as reading
from headwater.eventlog.streams import STREAMS
from headwater.pipeline import enrich
from headwater.spec import errors, outcome
from headwater.spec.settings import Settings

ROOT = Path(__file__).parents[1]
MADE = "<!-- Made by docs/generate.py from the code; `make docs` writes it again. -->"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """The lines of a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return ["| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in line) + " |" for line in lines]


def page(title: str, *parts: str | list[str]) -> str:
    """A page from paragraphs and blocks of lines."""
    blocks = [f"# {title}", MADE, *(part if isinstance(part, str) else "\n".join(part) for part in parts)]
    return "\n\n".join(blocks) + "\n"


def code(value: object) -> str:
    """Text as code, or nothing for nothing."""
    return f"`{value}`" if value not in ("", None) else ""


def kind(annotation: Any) -> str:
    """A setting's type in a word."""
    if get_origin(annotation) is tuple:
        return f"list of {get_args(annotation)[0].__name__}"
    return {str: "text", int: "whole number", float: "number", bool: "true or false"}[annotation]


def written(value: Any) -> str:
    """A setting's value as the environment holds it."""
    if isinstance(value, tuple):
        return ",".join(str(item) for item in value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def defaults() -> Iterator[tuple[str, Any, str, Any]]:
    """Every setting: dotted name, type, sentence, default."""
    standing = Settings()
    for name, annotation, sentence in reading.fields():
        value: Any = standing
        for part in name.split("."):
            value = getattr(value, part)
        yield name, annotation, sentence, value


def settings() -> str:
    """The settings page."""
    rooms: dict[str, list[list[str]]] = {}
    for name, annotation, sentence, default in defaults():
        row = [code(name), code(reading.environment_name(name)), kind(annotation), code(written(default)), sentence]
        rooms.setdefault(name.partition(".")[0] if "." in name else "The whole house", []).append(row)
    short = [f"`{variable}` is short for `{name}`" for variable, name in reading.SHORT_NAMES.items()]
    head = ("Setting", "Environment", "Type", "Default", "Meaning")
    parts = [part for room, rows in rooms.items() for part in (f"## {room}", table(head, rows))]
    return page(
        "Settings",
        "A setting comes from the command line (`--set collect.port=80`), else from the environment, else from the "
        "file (`headwater.toml`, with `port` under `[collect]`), else from its default. `headwater settings` shows "
        "what is in force and where it came from. Lists are separated by commas.",
        f"{', and '.join(short)}.",
        *parts,
    )


def env_example() -> str:
    """The file `.env.example`."""
    lines = [
        "# Every setting with its default. Made by docs/generate.py; copy it to .env and keep the lines you change."
    ]
    for name, _, sentence, default in defaults():
        lines += ["", f"# {sentence}", f"#{reading.environment_name(name)}={written(default)}"]
    return "\n".join(lines) + "\n"


def outcomes() -> str:
    """The page of steps and reasons."""
    story = inspect.cleandoc(outcome.__doc__ or "").split("\n\n", 1)[1]
    parts: list[str | list[str]] = [story]
    for step in outcome.Step:
        reasons = outcome.REASONS.get(step, {})
        parts.append(f"## {step}")
        parts.append(
            table(("Reason", "Meaning"), [[code(reason), sentence] for reason, sentence in reasons.items()])
            if reasons
            else "No reasons: nothing went wrong."
        )
    return page("Outcomes", *parts)


def metrics() -> str:
    """The page of metrics."""
    rows: list[list[str]] = []
    for metric in vars(telemetry).values():
        if isinstance(metric, MetricWrapperBase):
            (family,) = metric.describe()
            name = family.name + ("_total" if family.type == "counter" else "")
            labels = ", ".join(code(label) for label in metric._labelnames)  # pyright: ignore[reportPrivateUsage]
            rows.append([code(name), family.type, labels, family.documentation])
    return page(
        "Metrics",
        "`GET /metrics` on the port of the management API gives these in Prometheus' text format.",
        table(("Metric", "Kind", "Labels", "Meaning"), rows),
    )


def enrichments() -> str:
    """The page of enrichments."""
    parts: list[str | list[str]] = [
        "An enrichment adds facts to an event's context where the sender left them out; what the sender gave is never "
        "changed. `pipeline.enrichments` chooses which run."
    ]
    for name in enrich.names():
        declared = enrich.definition(name)
        parts += [
            f"## {name}",
            f"{declared.description} It reads {', '.join(code(path) for path in declared.reads)}.",
            table(("Field", "Meaning"), [[code(path), sentence] for path, sentence in declared.adds]),
        ]
    return page("Enrichments", *parts)


def streams() -> str:
    """The page of streams."""
    rows = [[code(each.name), each.holds, each.key, code(each.volume)] for each in STREAMS.values()]
    return page(
        "Streams",
        "The event log holds these streams. Streams of one volume and partition are written in one transaction.",
        table(("Stream", "Holds", "Key", "Volume"), rows),
    )


def catalogue() -> str:
    """The page of destinations."""
    parts: list[str | list[str]] = []
    head = ("Setting", "Type", "Required", "Default", "Meaning")
    for slug in destinations.own_names():
        declared = destinations.definition(slug)
        does = declared.action.description if declared.action is not None else "It has these actions:"
        actions = [[code(each.slug), each.description, code(each.trigger)] for each in declared.actions]
        names = ", ".join(code(name) for name in (declared.name, *declared.previous_names))
        fields = (*declared.fields, *destinations.COMMON_FIELDS)
        rows = [[code(f.key), f.type, "yes" if f.required else "", code(f.default), f.description] for f in fields]
        parts += [
            f"## {declared.name}",
            declared.description,
            f"Slug {code(slug)}. Known to the integrations object as {names}. "
            f"Takes {', '.join(sorted(declared.event_types))}. {does}",
            *([table(("Action", "What it does", "Trigger"), actions)] if actions else []),
            table(head, rows),
        ]
    return page(
        "Destinations",
        "These are our own. The catalogue adds Segment's open-source destinations, whose settings, actions and fields "
        "the console shows.",
        *parts,
    )


def operations() -> str:
    """The page of operations."""
    from headwater.manage.operations import OPERATIONS

    tags: dict[str, list[list[str]]] = {}
    for each in sorted(OPERATIONS.values(), key=lambda each: (each.tag, each.path, each.method)):
        command = f"headwater {each.name.replace('_', '-')}"
        row = [
            code(f"{each.method} {each.path}"),
            code(command),
            code(each.scope) or each.needs,
            each.sentence.partition("\n\n")[0],
        ]
        tags.setdefault(each.tag, []).append(row)
    head = ("Request", "Command", "Scope", "What it does")
    parts = [part for tag, rows in tags.items() for part in (f"## {tag}", table(head, rows))]
    return page(
        "Operations",
        "Everything that can be asked of the house, over HTTP and on the command line. A running house serves the "
        "whole description at `/openapi.json`.",
        *parts,
    )


def commands() -> str:
    """The page of the command line."""
    from headwater.app.cli import app
    from headwater.app.commands import reference

    return reference.page(app)


def language() -> str:
    """The page of the language of audiences and computed traits."""
    from headwater.profiles.language import reference

    return reference.page("Audience language", MADE)


def filter_language() -> str:
    """The page of the language of filters."""
    from headwater.spec.fql import reference

    return reference.page("Filter language (FQL)", MADE)


def mappings() -> str:
    """The page of mappings."""
    from headwater.spec.mapping import reference

    return reference.page("Mappings", MADE)


def refusals() -> str:
    """The page of errors."""
    tree = inspect.cleandoc(errors.__doc__ or "").split("\n\n")
    parts: list[str | list[str]] = [tree[0], ["```text", tree[1], "```"], tree[2]]
    for each in errors.HeadwaterError.__subclasses__():
        if each.__module__ == errors.__name__:
            parts += [f"## {each.__name__}", inspect.getdoc(each) or ""]
    return page("Errors", *parts)


PAGES: dict[str, Callable[[], str]] = {
    ".env.example": env_example,
    "docs/reference/audience-language.md": language,
    "docs/reference/cli.md": commands,
    "docs/reference/destinations.md": catalogue,
    "docs/reference/enrichments.md": enrichments,
    "docs/reference/errors.md": refusals,
    "docs/reference/fql.md": filter_language,
    "docs/reference/mappings.md": mappings,
    "docs/reference/metrics.md": metrics,
    "docs/reference/operations.md": operations,
    "docs/reference/outcomes.md": outcomes,
    "docs/reference/settings.md": settings,
    "docs/reference/streams.md": streams,
}


def main() -> None:
    """Write every page that changed, and say which."""
    for name, make in PAGES.items():
        file, text = ROOT / name, make()
        if not file.exists() or file.read_text() != text:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
            print(f"wrote {name}")


if __name__ == "__main__":
    main()
