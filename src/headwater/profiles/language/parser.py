"""From tokens to the tree, by recursive descent with one token of foresight: the time is linear in the text.

The chain rules are kept here, since a chain that breaks them has no tree: what follows a stream is a filter or reducer,
what follows a scalar a comparison, and nothing follows a comparison (contract: profiles-governance 3.13).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, get_args

from headwater.profiles.language.cursor import Cursor
from headwater.profiles.language.lexer import Token
from headwater.profiles.language.tree import (
    AllUsers,
    AnyUser,
    Between,
    Compare,
    Condition,
    Context,
    Duration,
    Entity,
    Event,
    ExpiresAfter,
    Literal,
    Not,
    Place,
    Property,
    Query,
    Reading,
    Reduced,
    Reducer,
    Scalar,
    Size,
    Sources,
    Stream,
    Text,
    Trait,
    Unit,
    Where,
    Within,
    both,
    either,
)
from headwater.profiles.language.words import COMPARATORS, EXTRACTORS, FILTERS, REDUCERS, SYMBOLS

MAX_DEPTH = 64
"""Levels of nesting: parentheses, NOT, ANY, ALL and where."""

MAX_EXPRESSIONS = 50
"""Primary expressions in a query: comparisons, wherever they stand, or the one scalar of a trait (3.13)."""

_UNITS: dict[str, Unit] = {form: unit for unit in get_args(Unit) for form in (unit, f"{unit}s")}
_READINGS: dict[Reducer, tuple[Reading, ...]] = {
    "max": ("number", "string"),
    "min": ("number", "string"),
    "mode": ("string", "number", "array"),
}
"""What may follow `as`; the first is what holds without it."""

_COMPLETE = "after a complete comparison only AND, OR or the end is expected"
_Chain = Stream | Scalar | Compare
_Part = TypeVar("_Part")


def parse(text: str) -> Query:
    """Read a query. Raises QueryError with the place and what was expected there."""
    return _Parser(text).query()


class _Parser(Cursor):
    """Reads one query."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = 0
        self._expressions = 0

    def query(self) -> Query:
        body = self._or()
        if self._here.kind != "end":
            self._refuse(_COMPLETE if isinstance(body, Condition) else self._wants_comparison())
        return Query(body, Text(self._text))

    # Junctions. A part that must be a condition is checked as soon as something shows that it must be.

    def _or(self) -> Condition | Scalar:
        place = self._place
        first = self._and()
        if not self._is("or"):
            return first
        parts = [self._condition(first)]
        while self._take("or"):
            self._last = "`OR`"
            parts.append(self._condition(self._and()))
        return either(parts, place)

    def _and(self) -> Condition | Scalar:
        place = self._place
        first = self._unary()
        if not self._is("and"):
            return first
        parts = [self._condition(first)]
        while self._take("and"):
            self._last = "`AND`"
            parts.append(self._condition(self._unary()))
        return both(parts, place)

    def _unary(self) -> Condition | Scalar:
        place = self._place
        for word, kind in (("not", Not), ("any", AnyUser), ("all", AllUsers)):
            if self._take(word):
                self._last = f"`{word.upper()}`"
                self._deeper()
                part = self._condition(self._unary())
                self._depth -= 1
                return kind(part=part, place=place)
        if self._take("("):
            self._last = "`(`"
            self._deeper()
            inside = self._closing()
            self._take(")")
            self._depth -= 1
            return inside
        return self._comparison()

    def _closing(self) -> Condition:
        """A condition, up to the parenthesis that closes it."""
        inside = self._condition(self._or())
        if not self._is(")"):
            self._refuse("`)`, AND or OR is expected here")
        return inside

    def _condition(self, part: Condition | Scalar) -> Condition:
        if not isinstance(part, Condition):
            self._refuse(self._wants_comparison())
        return part

    def _deeper(self) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            self._refuse(f"a query nests at most {MAX_DEPTH} levels deep")

    # Chains.

    def _comparison(self) -> Compare | Scalar:
        self._expressions += 1
        if self._expressions > MAX_EXPRESSIONS:
            self._refuse(f"a query holds at most {MAX_EXPRESSIONS} expressions")
        place = self._place
        left = self._chain(comparing=True)
        symbol = self._here
        if symbol.kind != "symbol" or symbol.text not in SYMBOLS:
            return left
        if isinstance(left, Compare):
            self._refuse(_COMPLETE)
        self._move()
        self._last = f"`{symbol.text}`"
        return Compare(left=left, by=SYMBOLS[symbol.text], arguments=(self._right(),), place=place)

    def _right(self) -> Scalar:
        """What a value is compared with: a literal, or a chain that ends in a scalar."""
        if self._here.kind in ("string", "number", "date") or self._here.text in ("true", "false", "null"):
            return self._literal()
        if self._here.kind == "word" and self._here.text not in EXTRACTORS:
            self._refuse(f"after {self._last} a value is expected, such as 50 or 'text'; text stands in quotes")
        if self._here.kind != "word":
            self._refuse(f"after {self._last} a value is expected, such as 50, 'text' or trait('plan')")
        found = self._chain(comparing=False)
        assert not isinstance(found, Compare)
        return found

    def _chain(self, *, comparing: bool) -> Scalar | Compare:
        """An extractor and its calls, down to a scalar, or a comparison where one may stand."""
        chain: _Chain = self._extractor()
        while self._take("."):
            name = self._here
            if name.kind != "word":
                self._refuse("after `.` the name of a function is expected")
            if isinstance(chain, Stream):
                chain = self._after_stream(chain, name)
            elif isinstance(chain, Reduced) and chain.by == "unique":
                self._known(name, ("count",), after="a list")
                self._opened(name)
                self._closed()
                chain = Size(of=chain, place=Place(name.start))
            elif isinstance(chain, Compare):
                self._refuse("nothing follows a comparison in its chain; join comparisons with AND or OR")
            else:
                self._known(name, COMPARATORS if comparing else (), after="a value")
                chain = Compare(left=chain, by=name.text, arguments=self._arguments(name), place=chain.place)
            self._last = self._said(name)
        if isinstance(chain, Stream):
            self._refuse(f"after {self._last} a filter or reducer is expected, such as `.count()`")
        if isinstance(chain, Reduced) and chain.by == "unique" and (self._here.text in SYMBOLS or not comparing):
            self._refuse(f"a list cannot be compared; after {self._last} `.count()` is expected")
        return chain

    def _extractor(self) -> Stream | Scalar:
        name = self._here
        if name.kind != "word" or name.text not in EXTRACTORS:
            self._refuse_start(name)
        self._opened(name)
        place = Place(name.start)
        if name.text == "literal":
            found: Stream | Scalar = self._literal()
        elif name.text == "property":
            parent = self._parent()
            found = Property(name=self._string("the name of a property"), parent=parent, place=place)
        elif name.text == "event":
            found = Stream(of=Event(name=self._string("the name of an event"), place=place), place=place)
        elif name.text == "entity":
            found = Stream(of=Entity(slug=self._string("the name of a relationship"), place=place), place=place)
        elif name.text == "trait":
            found = Trait(name=self._string("the key of a trait"), place=place)
        else:
            found = Context(name=self._string("a path in the context"), place=place)
        self._closed()
        self._last = self._said(name)
        return found

    def _after_stream(self, stream: Stream, name: Token) -> Stream | Reduced:
        self._known(name, (*FILTERS, *REDUCERS), after="a stream of events")
        self._opened(name)
        found: Stream | Reduced
        if name.text in FILTERS:
            made = self._filter(name)
            found = Stream(of=stream.of, filters=(*stream.filters, made), place=stream.place)
        else:
            found = self._reducer(stream, name)
        self._closed()
        return found

    def _filter(self, name: Token) -> Where | Sources | Within | Between | ExpiresAfter:
        place = Place(name.start)
        if name.text == "where":
            self._last = "`where(`"
            self._deeper()
            inside = self._closing()
            self._depth -= 1
            return Where(condition=inside, place=place)
        if name.text == "sources":
            return Sources(exclude=self._sources(), place=place)
        if name.text == "within":
            parent = self._parent()
            return Within(duration=self._duration(), parent=parent, place=place)
        if name.text == "between":
            start = self._duration()
            self._expect(",", "a comma and a second length of time, such as `between(7 days, 10 days)`,")
            return Between(start=start, end=self._duration(), place=place)
        return ExpiresAfter(gap=self._duration(), place=place)

    def _sources(self) -> tuple[str, ...]:
        example = "such as `sources({exclude: 'id'})`"
        self._expect("{", f"`{{`, {example},")
        self._expect("exclude", f"`exclude`, {example},")
        self._expect(":", f"`:`, {example},")
        found = self._list(lambda: self._string("the id of a source"))
        self._expect("}", f"`}}`, {example},")
        return found

    def _reducer(self, stream: Stream, name: Token) -> Reduced:
        place = Place(name.start)
        by: Reducer = name.text  # pyright: ignore[reportAssignmentType]  # `_known` has seen to it
        if by == "count":
            return Reduced(stream=stream, by=by, place=place)
        if not (self._is("property") or self._is("context")):
            self._refuse(f"inside `{by}(...)` a property is expected, such as `{by}(property('total'))`")
        of = self._extractor()
        assert isinstance(of, Property | Context)
        reading, least = self._reading(by), 2
        if by == "mode" and self._take(","):
            least = self._whole("a whole number, how often the value must occur at least,")
        return Reduced(stream=stream, by=by, of=of, reading=reading, least=least, place=place)

    def _reading(self, by: Reducer) -> Reading:
        allowed = _READINGS.get(by, ("string",))
        if by not in _READINGS or not self._take("as"):
            return allowed[0]
        for each in allowed:
            if self._take(each):
                return each
        self._refuse(f"after `as` one of {', '.join(sorted(allowed))} is expected")

    # Arguments.

    def _arguments(self, name: Token) -> tuple[Scalar | Duration, ...]:
        self._opened(name)
        takes = COMPARATORS[name.text].takes
        self._last = f"`{name.text}(`"
        found: tuple[Scalar | Duration, ...]
        if takes == "nothing":
            found = ()
        elif takes == "scalar":
            found = (self._right(),)
        elif takes == "duration":
            found = (self._duration(),)
        elif takes == "values":
            found = self._list(self._literal)
        else:
            found = (self._literal(),)
        self._closed()
        return found

    def _list(self, one: Callable[[], _Part]) -> tuple[_Part, ...]:
        """One or more, separated by commas, in brackets or not."""
        bracket = self._take("[")
        found = [one()]
        while self._take(","):
            found.append(one())
        if bracket:
            self._expect("]", "a comma or `]`")
        return tuple(found)

    def _literal(self, *, inside: bool = False) -> Literal:
        token = self._here
        place = Place(token.start)
        if token.kind == "word" and token.text == "literal" and not inside:
            self._opened(token)
            found = self._literal(inside=True)
            self._closed()
            return found
        for word, value in (("true", True), ("false", False)):
            if self._take(word):
                return Literal(value=value, place=place)
        if token.text == "null":
            self._refuse("null cannot be compared with; `.absent()` and `.exists()` ask for it")
        if token.kind not in ("string", "number", "date"):
            self._refuse("a value is expected here, such as 50 or 'text'")
        self._move()
        return Literal(value=token.value, place=place)

    def _duration(self) -> Duration:
        amount = self._whole("a length of time in whole numbers, such as `7 days`,")
        unit = self._here
        if unit.kind != "word" or unit.text not in _UNITS:
            self._refuse(f"after {amount} a unit is expected: hours or days, or seconds in `expires_after`")
        self._move()
        return Duration(amount, _UNITS[unit.text])

    def _whole(self, expected: str) -> int:
        token = self._here
        if token.kind != "number" or not isinstance(token.value, int) or token.value < 0:
            self._refuse(f"{expected} is expected here")
        self._move()
        return token.value

    def _string(self, expected: str) -> str:
        token = self._here
        if token.kind != "string" or not token.value:
            self._refuse(f"{expected} is expected here, in quotes")
        self._move()
        return str(token.value)

    def _parent(self) -> bool:
        if not self._take("parent"):
            return False
        self._expect(":", "a colon after `parent`")
        return True
