"""The words of the glossary, and none of those that it rules out; and no word about the machine it was written on."""

from __future__ import annotations

import ast
import importlib
import io
import re
import subprocess
import tokenize
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HOUSE = ROOT / "src" / "headwater"
GLOSSARY = (ROOT / "docs" / "glossary.md").read_text()
ROWS = re.findall(r"^\| \*\*(.+?)\*\* \| (.+?) \| `?(.*?)`? \| ?(.*?) \|$", GLOSSARY, re.MULTILINE)

REFUSED = {
    "tenant": "workspace",
    "tenants": "workspace",
    "dlq": "parked",
    "deadletter": "parked",
    "topic": "stream",
    "topics": "stream",
    "blocklist": "suppression",
    "blacklist": "suppression",
    "whitelist": "allowed",
    "cohort": "audience",
    "gdpr": "regulation",
    "udf": "function",
    "requeue": "redrive",
    "shard": "partition",
}
"""Words that no identifier may hold, and the word to use."""

ALLOWED: dict[str, set[str]] = {}
"""Files that speak to somebody who has these words."""

MACHINE = re.compile(
    r"/root/|/home/[a-z]|/Users/[A-Za-z]|/work/|(?<!emit-)index-url|\"resolved\": *\"http|\[\[tool\.uv\.index"
)


def words(identifier: str) -> set[str]:
    return {part.lower() for part in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", identifier)}


def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [ROOT / path for path in listed.split("\0") if path and (ROOT / path).is_file()]


def resolve(path: str) -> object:
    """What a dotted name inside the house stands for, or None."""
    parts = ["headwater", *(path.split(".") if path != "headwater" else [])]
    for cut in range(len(parts), 0, -1):
        try:
            found: object = importlib.import_module(".".join(parts[:cut]))
        except ModuleNotFoundError:
            continue
        for part in parts[cut:]:
            found = getattr(found, part, None)
        return found
    return None


def test_the_glossary_is_read_whole() -> None:
    assert len(ROWS) == GLOSSARY.count("| **")
    assert len(ROWS) >= 30


@pytest.mark.parametrize(("word", "code"), [(row[0], row[2]) for row in ROWS])
def test_every_word_of_the_glossary_lives_where_it_says(word: str, code: str) -> None:
    assert resolve(code) is not None, f"{word} does not live in headwater.{code}"


def test_no_word_means_two_things() -> None:
    defined = [row[0] for row in ROWS]
    assert sorted(defined) == sorted(set(defined))


def test_identifiers_use_the_words_of_the_glossary() -> None:
    found: list[str] = []
    for file in sorted(HOUSE.rglob("*.py")):
        place = file.relative_to(HOUSE).as_posix()
        refused = set(REFUSED) - ALLOWED.get(place, set())
        names = {file.stem}
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                names.add(node.name)
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                names.add(node.id)
            elif isinstance(node, ast.arg):
                names.add(node.arg)
        found += [f"{place}: {each}" for each in sorted(names) if words(each) & refused]
    assert found == [], "The glossary has another word for it."


def test_sentences_for_people_use_the_words_of_the_glossary() -> None:
    unsaid = re.compile(r"\b(DLQ|dead.letter|tenant|blacklist|whitelist)s?\b", re.IGNORECASE)
    pages = [file for file in tracked() if file.suffix == ".md" and file.name not in ("glossary.md", "LICENSE")]
    found = [file.name for file in pages if unsaid.search(file.read_text())]
    assert found == []


def test_nothing_is_left_to_do_in_comments() -> None:
    found: list[str] = []
    for file in sorted(HOUSE.rglob("*.py")):
        tokens = tokenize.generate_tokens(io.StringIO(file.read_text()).readline)
        comments = [token for token in tokens if token.type == tokenize.COMMENT]
        left = [token for token in comments if re.search(r"\b(TODO|FIXME|XXX|HACK)\b", token.string)]
        found += [f"{file.relative_to(HOUSE)}:{token.start[0]}" for token in left]
    assert found == []


def test_the_project_speaks_of_no_machine_and_no_registry() -> None:
    found: list[str] = []
    for file in tracked():
        if file == Path(__file__) or file.suffix in {".png", ".ico", ".gz", ".parquet", ".mmdb"}:
            continue
        for number, line in enumerate(file.read_text(errors="replace").splitlines(), 1):
            if MACHINE.search(line):
                found.append(f"{file.relative_to(ROOT)}:{number}: {line.strip()[:80]}")
    assert found == []
