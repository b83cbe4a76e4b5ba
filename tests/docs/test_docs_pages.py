"""The pages match the code: generated ones are not stale, links lead somewhere, code in them is code."""

from __future__ import annotations

import ast
import importlib.util
import inspect
import re
import textwrap
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import typer.main

ROOT = Path(__file__).parents[2]
PAGES = [
    *(ROOT / page for page in ("README.md", "ARCHITECTURE.md")),
    *(page for folder in ("docs", "deploy") for page in sorted((ROOT / folder).rglob("*.md"))),
]
NOTES = sorted((ROOT / "docs" / "design").glob("*.md"))
FENCE = re.compile(r"^(?P<indent> *)```(?P<language>\w*)[^\n]*\n(?P<code>.*?)^(?P=indent)```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]\n]*\]\((?P<to>[^)\s]+)\)")


def name(file: Path) -> str:
    return file.relative_to(ROOT).as_posix()


def blocks(language: str) -> list[Any]:
    """The code blocks of one language on all pages."""
    made: list[Any] = []
    for page in PAGES:
        text = page.read_text()
        for found in FENCE.finditer(text):
            if found["language"] in language.split():
                line = text.count("\n", 0, found.start()) + 1
                made.append(pytest.param(textwrap.dedent(found["code"]), id=f"{name(page)}:{line}"))
    return made


def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_generate", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


GENERATOR = generator()


@pytest.mark.parametrize("page", GENERATOR.PAGES)
def test_generated_pages_are_as_the_code_makes_them(page: str) -> None:
    file = ROOT / page
    assert file.exists(), f"{page} is missing; run `make docs`"
    assert file.read_text() == GENERATOR.PAGES[page](), f"{page} is stale; run `make docs`"


def test_no_reference_page_is_left_over() -> None:
    pages = {name(page) for page in (ROOT / "docs" / "reference").glob("*.md")}
    assert pages == {page for page in GENERATOR.PAGES if page.startswith("docs/reference/")}


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as they are made by the tools that show Markdown."""
    heads = re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text()), re.MULTILINE)
    plain = (re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", head) for head in heads)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in plain}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_link_leads_somewhere(page: Path) -> None:
    astray: list[str] = []
    for found in LINK.finditer(FENCE.sub("", page.read_text())):
        to, _, anchor = found["to"].partition("#")
        if re.match(r"[a-z]+:", to):
            continue
        target = (page.parent / to) if to else page
        if not target.exists() or (anchor and target.suffix == ".md" and anchor not in anchors(target)):
            astray.append(found["to"])
    assert astray == []


@pytest.mark.parametrize("code", blocks("python py"))
def test_python_on_a_page_compiles(code: str) -> None:
    compile(code, "page", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


def members(command: Any) -> list[Any]:
    """The commands of a group, and none of a command."""
    return list(getattr(command, "commands", {}).values())


@cache
def commands() -> dict[str, set[str]]:
    """The command line's commands, each with its options; a group has those of its members too."""
    from headwater.app.cli import app

    group: Any = typer.main.get_command(app)
    context = typer.Context(group)
    found: dict[str, set[str]] = {}
    for each in group.list_commands(context):
        command = group.get_command(context, each)
        parameters = [*command.params, *(one for member in members(command) for one in member.params)]
        options = {option for parameter in parameters for option in (*parameter.opts, *parameter.secondary_opts)}
        found[each] = options | {"--help", "-h"}
    return found


@pytest.mark.parametrize("code", blocks("sh bash shell console"))
def test_a_shell_block_names_only_commands_and_options_that_exist(code: str) -> None:
    known = commands()
    for command, rest in re.findall(r"\bheadwater ([a-z][a-z-]*)((?:[^\n|;&)]|\\\n)*)", code):
        assert command in known, f"there is no command `headwater {command}`"
        unquoted = re.sub(r"'[^']*'|\"[^\"]*\"", "", rest.partition("#")[0])
        options = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", unquoted))
        assert options <= known[command], f"`headwater {command}` has no {options - known[command]}"


@pytest.mark.parametrize("note", NOTES, ids=name)
def test_a_design_note_is_one_page_with_a_question_and_a_choice(note: Path) -> None:
    text = note.read_text()
    number = note.name[:4]
    assert re.fullmatch(r"\d{4}-[a-z0-9-]+\.md", note.name)
    assert text.startswith(f"# {number} "), "the title begins with the number"
    assert len(text.splitlines()) <= 80, "a note is at most a page"
    for part in ("Question", "Choice", "Weighed and left", "What would change our mind", "Status"):
        assert part.lower() in text.lower(), f"the note lacks: {part}"


def test_design_notes_have_numbers_of_their_own() -> None:
    numbers = [note.name[:4] for note in NOTES]
    assert sorted(numbers) == sorted(set(numbers))


def test_a_changelog_fragment_is_one_sentence_of_a_known_kind() -> None:
    for fragment in (ROOT / "changes").glob("*.md"):
        assert re.fullmatch(r"[a-z0-9-]+\.(breaking|feature|fix|security)\.md", fragment.name), fragment.name
        assert fragment.read_text().strip().endswith("."), f"{fragment.name} is not a sentence"


def test_architecture_leads_to_every_flow_room() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text()
    for room in ("collect", "eventlog", "pipeline", "deliver", "warehouse", "manage", "app"):
        assert f"src/headwater/{room}/" in text, f"ARCHITECTURE.md does not lead to {room}"


def test_every_error_of_the_tree_is_on_its_page() -> None:
    from headwater.spec import errors

    page = (ROOT / "docs" / "reference" / "errors.md").read_text()
    for each in errors.HeadwaterError.__subclasses__():
        if each.__module__ == errors.__name__:
            assert (inspect.getdoc(each) or "missing") in page


def test_the_settings_of_the_example_are_understood(tmp_path: Path) -> None:
    from headwater.app.settings import read
    from headwater.spec.settings import Settings

    lines = (ROOT / ".env.example").read_text().splitlines()
    environ = dict(line.removeprefix("#").split("=", 1) for line in lines if re.match(r"#HEADWATER_", line))
    assert read(environ=environ) == Settings()
    assert len(environ) > 20
