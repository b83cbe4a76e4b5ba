"""Forms: objects read straight into columns, for as long as they look like those before them. Pure, with a memory.

`flatten` says what an object becomes, and walks it key by key. A form learns from objects that went that way: which
keys there are, and which column each goes to. It reads others with these keys, or some of them, into structs of its
own, without a dictionary for each, and refuses all that flattening might see otherwise: a key it has not met, an object
where there was none, two keys for one column, a key without one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final, cast

import msgspec

from headwater.warehouse.casting import as_json

if TYPE_CHECKING:
    from headwater.warehouse.naming import Node

_MOST_KEYS: Final = 150
"""Of one form: so few that no row which forms have read is too wide for an engine."""

_DEEPEST: Final = 8
REFUSED: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What `Reader.read` raises for what it would not read as flattening does."""

_Scalar = bool | int | float | str | None


class _Cell:
    """A key whose value goes to a column, or is dropped for want of one."""

    def __init__(self, column: str) -> None:
        self.column = column
        self.lists = False
        self.only_null = True


class _Branch:
    """A key whose value is an object. `column` is where a null goes in its stead."""

    def __init__(self, column: str) -> None:
        self.column = column
        self.keys: dict[str, _Cell | _Branch] = {}


class Reader:
    """A form as it was at one moment. `read` takes an object's JSON, and raises one of REFUSED."""

    def __init__(self, branch: _Branch, absent: Any) -> None:
        self._branch = branch
        self._absent = absent
        self._below: dict[str, Reader] = {}
        self._parts = list(branch.keys.items())
        self._lists = {key for key, part in self._parts if isinstance(part, _Cell) and part.lists}
        fields = [(f"k{at}", *self._type_of(key, part)) for at, (key, part) in enumerate(self._parts)]
        keys = {f"k{at}": key for at, (key, _) in enumerate(self._parts)}
        self._fields = [attrgetter(f"k{at}") for at in range(len(self._parts))]
        self._type = msgspec.defstruct("Form", fields, rename=keys, forbid_unknown_fields=True, gc=False)
        self._nothing = self._type()
        self.read: Callable[[bytes | msgspec.Raw], Any] = msgspec.json.Decoder(self._type).decode

    def _type_of(self, key: str, part: _Cell | _Branch) -> tuple[Any, Any]:
        """The type of a field and what it is when the key is absent."""
        if isinstance(part, _Branch):
            below = self._below[key] = Reader(part, self._absent)
            return below._type | None | msgspec.UnsetType, self._absent
        lists = part.lists or not part.column
        return (_Scalar | list[Any] | msgspec.UnsetType if lists else _Scalar | msgspec.UnsetType), self._absent

    def columns(self, objects: Sequence[Any]) -> dict[str, Sequence[Any]]:
        """What was read, as columns with a cell for each object."""
        found: dict[str, Sequence[Any]] = {}
        for (key, part), field in zip(self._parts, self._fields, strict=True):
            if isinstance(part, _Cell) and not part.column:
                continue
            values = [*map(field, objects)]
            if isinstance(part, _Branch):
                if self._absent is not None and part.column and any(each is None for each in values):
                    found[part.column] = [None if each is None else self._absent for each in values]
                below = self._below[key]
                found.update(below.columns([each or below._nothing for each in values]))
            else:
                found[part.column] = [*map(_as_text, values)] if key in self._lists else values
        return found


class Form:
    """What objects of one kind have looked like."""

    def __init__(self, root: Node, standard: frozenset[str], *, absent: Any = None) -> None:
        """Keys are named as `root` names them. A cell is `absent` where an object has not its key."""
        self._root = root
        self._standard = standard
        self._absent = absent
        self._whole = _Branch("")
        self._columns: set[str] = set()
        self._keys = 0
        self._grown = 0
        self._next = 1
        self._stale = True
        self.reader: Reader | None = None

    def learn(self, value: Any) -> None:
        """Look at an object that was refused. What is learned counts at the latest when the form is settled."""
        if isinstance(value, dict) and self._grow(cast("dict[str, Any]", value), self._root, self._whole, 0):
            self._stale = True
            self._grown += 1
        if self._grown >= self._next or self.reader is None:
            self._next = 4 * self._grown
            self.settle()

    def settle(self) -> None:
        """Have a reader for all that was learned."""
        if self._stale:
            self._stale = False
            self.reader = Reader(_copied(self._whole), self._absent)

    def _grow(self, value: dict[str, Any], node: Node, branch: _Branch, depth: int) -> bool:
        """Take up the keys that are new; True when there were any."""
        grew = False
        for key, item in value.items():
            child = node.children.get(key) or node.under(key, self._standard, top=not depth)
            part = branch.keys.get(key)
            if type(item) is dict:
                if (part is None and self._admit(child)) or (isinstance(part, _Cell) and part.only_null):
                    part = branch.keys[key] = _Branch(child.column)
                    grew = True
                if isinstance(part, _Branch) and depth < _DEEPEST:
                    grew |= self._grow(cast("dict[str, Any]", item), child, part, depth + 1)
                continue
            if part is None and (child.column or child.standard) and self._admit(child):
                part = branch.keys[key] = _Cell(child.column)
                grew = True
            if isinstance(part, _Cell) and item is not None:
                grew |= type(item) is list and not part.lists
                part.lists |= type(item) is list
                part.only_null = False
        return grew

    def _admit(self, node: Node) -> bool:
        if self._keys >= _MOST_KEYS or node.column in self._columns:
            return False
        self._keys += 1
        if node.column:
            self._columns.add(node.column)
        return True


def _as_text(value: Any) -> Any:
    return as_json(cast("list[Any]", value)) if type(value) is list else value


def _copied(branch: _Branch) -> _Branch:
    """A branch as it is now, which does not grow any more."""
    copy = _Branch(branch.column)
    for key, part in branch.keys.items():
        if isinstance(part, _Branch):
            copy.keys[key] = _copied(part)
        else:
            cell = copy.keys[key] = _Cell(part.column)
            cell.lists = part.lists
    return copy
