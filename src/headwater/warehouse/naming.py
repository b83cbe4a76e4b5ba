"""Names of schemas, tables and columns in a warehouse (contract: connections 9.1, 9.4). Pure, apart from a memory.

Names are Segment's snake case. A reserved word, a name that starts with a digit and an event whose name is that of a
standard table get a leading underscore; a name too long for the engine is cut and ends in a hash of the whole.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from headwater.spec.naming import snake_case
from headwater.spec.workspace import Source
from headwater.warehouse.reserved import RESERVED, STANDARD, TABLES

if TYPE_CHECKING:
    from headwater.warehouse.forms import Form

_REMEMBERED = 50_000
_SYSTEM_SCHEMAS: Final = frozenset({"information_schema", "system", "temp", "main", "memory"})


class Names:
    """Names as one engine takes them. Keys once seen are remembered, since every event asks for the same ones.

    `properties`, `traits` and `context` are roots for `flatten`: a tree of the keys met under each. `forms` are what
    objects of a source, type and table have looked like (`laying`).
    """

    def __init__(
        self,
        identifier_bytes: int = 255,
        *,
        nul: bool = True,
        standard: frozenset[str] = STANDARD,
        tables: frozenset[str] = TABLES,
    ) -> None:
        """`identifier_bytes` is the longest name that the engine takes, `nul` whether its text may hold a NUL.

        No property or trait is given a column of `standard`, and no event a table of `tables`.
        """
        self.nul = nul
        self.standard = standard
        self._reserved = tables
        self._longest = identifier_bytes
        self._tables: dict[str, str] = {}
        self.forget()

    def forget(self) -> None:
        """Drop what is remembered; senders choose the keys, so the memory must have an end."""
        self._tables.clear()
        self.forms: dict[tuple[str, str, str], Form] = {}
        self.count = [0]
        self.properties = Node(self, "", "", self.standard)
        self.traits = Node(self, "", "", self.standard)
        self.context = Node(self, "context", "context", frozenset())

    def trim(self) -> None:
        """Forget everything when too much is remembered. Called between batches."""
        if self.count[0] + len(self._tables) > _REMEMBERED:
            self.forget()

    def fit(self, name: str) -> str:
        """A snake-case name as the engine can take it."""
        if name in RESERVED or name[0].isdigit():
            name = f"_{name}"
        if len(name) <= self._longest:
            return name
        return f"{name[: self._longest - 9]}_{hashlib.sha256(name.encode()).hexdigest()[:8]}"

    def table(self, event: str) -> str:
        """The table of an event name; a name without a letter or digit gets one of its own, made from its hash."""
        found = self._tables.get(event)
        if found is None:
            name = snake_case(event)
            if not name:
                name = f"event_{hashlib.sha256(event.encode('utf-8', 'replace')).hexdigest()[:8]}"
            found = self._tables[event] = self.fit(f"_{name}" if name in self._reserved else name)
        return found

    def schemas(self, sources: Iterable[Source]) -> dict[str, str]:
        """The schema of each source by its id. The older of two whose slugs make one name keeps it."""
        taken: dict[str, str] = {}
        for source in sources:
            name = self.schema(source.slug) or self.schema(source.id)
            if name in taken:
                name = self.fit(f"{name}_{self.schema(source.id)}")
            taken[name] = source.id
        return {source_id: name for name, source_id in taken.items()}

    def schema(self, slug: str) -> str:
        """The schema of a source; empty when its slug has no letter or digit."""
        name = snake_case(slug)
        if not name:
            return ""
        return self.fit(f"_{name}" if name in _SYSTEM_SCHEMAS or name.startswith("pg_") else name)


class Node:
    """A key of a sender's object, and the column that its value goes to.

    `column` is empty when the value has no column of its own: then it is dropped when `standard`, and kept in the
    overflow under `path` otherwise (a key without a letter or digit, or one that would pass for the context).
    """

    __slots__ = ("_names", "children", "column", "name", "path", "standard")

    def __init__(self, names: Names, name: str, path: str, standard: frozenset[str]) -> None:
        self._names = names
        self.name = name
        self.path = path
        self.children: dict[str, Node] = {}
        self.column = names.fit(name) if name else ""
        self.standard = False
        if self.column in standard:
            self.column, self.standard = "", True
        elif standard and self.column.startswith("context_"):
            self.column = ""

    def under(self, key: str, standard: frozenset[str], *, top: bool) -> Node:
        """The node of a key inside this one, made when it is met the first time."""
        part = snake_case(key)
        nameless = not part or (not top and not self.name)
        name = "" if nameless else (snake_case(f"{self.name}_{part}") if self.name else part)
        node = Node(self._names, name, f"{self.path}.{key}" if self.path else key, standard)
        if node.standard and not top:
            node.standard = False
        self.children[key] = node
        self._names.count[0] += 1
        return node
