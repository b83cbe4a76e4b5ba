"""The dialect: which tags there are, and how paths, values and conditions are read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, TextIO, cast

from liquid import BoundTemplate, Environment, RenderContext
from liquid.ast import Node
from liquid.builtin.expressions import BooleanExpression
from liquid.builtin.expressions import logical as conditions
from liquid.builtin.expressions.primitive import Blank, Empty, Nil
from liquid.builtin.output import Output, OutputNode
from liquid.builtin.tags.echo_tag import EchoNode, EchoTag
from liquid.expression import Expression
from liquid.filter import with_context
from liquid.token import TOKEN_CONTENT, TOKEN_ILLEGAL, TOKEN_OUTPUT
from liquid.undefined import is_undefined
from liquid.utils import ReadOnlyChainMap

from headwater.spec.mapping.errors import TOO_LONG, MappingFailed
from headwater.spec.mapping.liquid import values
from headwater.spec.mapping.liquid.dates import DATES
from headwater.spec.mapping.liquid.filters import FILTERS, OFF
from headwater.spec.mapping.values import MAX_TEXT, UNDEFINED, characters

TAGS: Final = frozenset(
    [
        *(
            "#",
            "assign",
            "capture",
            "comment",
            "cycle",
            "decrement",
            "echo",
            "if",
            "increment",
            "liquid",
            "raw",
        ),
        *(
            "unless",
            TOKEN_CONTENT,
            TOKEN_OUTPUT,
            TOKEN_ILLEGAL,
        ),
    ]
)
"""The tags there are, and what is no tag to a reader but one to the library. `case` is not one: the engine has it
switched off (13.1)."""

INSIDE: Final = frozenset(
    [
        *(
            "anonymousId",
            "channel",
            "context",
            "event",
            "groupId",
            "integrations",
            "messageId",
            "name",
        ),
        *(
            "originalTimestamp",
            "previousId",
            "properties",
            "receivedAt",
            "sentAt",
            "timestamp",
            "traits",
            "type",
        ),
        *(
            "userId",
            "version",
        ),
    ]
)
"""The fields of events that `event.` may stand before, since much that is written about mappings puts it there."""


MAX_RANGE: Final = 10_000
"""The most numbers of a range."""

ITEM: Final = 4
"""An item of a list takes as much room as so many characters."""


def plain(value: Any) -> Any:
    """A value of the library as one of ours."""
    if is_undefined(value):
        return UNDEFINED
    if isinstance(value, range):
        if len(value) > MAX_RANGE:
            raise MappingFailed(TOO_LONG)
        return list(value)
    return value


class _Written(OutputNode):
    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        return buffer.write(values.written(_taken(self.expression.evaluate(context), context)))


class _WrittenByTag(_Written, EchoNode):
    pass


class _Output(Output):
    node_class = _Written


class _Echo(EchoTag):
    node_class = _WrittenByTag


class _Context(RenderContext):
    """Looks names up in the event, and knows no clock."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.scope = ReadOnlyChainMap(self.locals, self.globals, self.counters)
        self.room = MAX_TEXT

    def get(self, path: list[object], *, token: Any, default: object = None) -> object:
        if len(path) > 1 and path[0] == "event" and path[1] in INSIDE and "event" not in self.locals:
            path = path[1:]
        try:
            found: Any = self.scope[cast("str", path[0])]
            for part in path[1:]:
                if found is None:
                    return None
                found = self.get_item(found, plain(part))
        except (KeyError, TypeError, IndexError):
            return self.env.undefined(str(path[0]), token=token)
        return found

    def get_item(self, obj: Any, key: Any) -> Any:
        if isinstance(key, float | bool) or key is None or key is UNDEFINED:
            key = values.written(key)
        if isinstance(obj, list) and isinstance(key, str) and key.isdigit():
            key = int(key)
        if isinstance(obj, dict) and isinstance(key, int):
            key = str(key)
        if isinstance(obj, dict) and key in ("first", "last"):
            return cast("dict[str, Any]", obj)[cast("str", key)]
        if key == "length" and isinstance(obj, str | list):
            return len(characters(obj)) if isinstance(obj, str) else len(cast("list[Any]", obj))
        return super().get_item(obj, key)

    def spend(self, made: Any) -> None:
        """Take what was made from the room that there is for everything, lists in lists with all that they hold."""
        waiting = [made]
        while waiting:
            each = waiting.pop()
            self.room -= len(each) if isinstance(each, str) else ITEM * len(each) if isinstance(each, list) else 0
            if self.room < 0:
                raise MappingFailed(TOO_LONG)
            if isinstance(each, list):
                waiting += [item for item in cast("list[Any]", each) if isinstance(item, list)]


def _taken(value: Any, context: RenderContext) -> Any:
    """A value to write or compare; what that costs grows with a list, whose room is therefore spent."""
    value = plain(value)
    if isinstance(value, list):
        cast("_Context", context).spend(cast("Any", value))
    return value


class _Template(BoundTemplate):
    context_class = _Context

    def make_partial_namespace(self, partial: bool, render_args: Mapping[str, object]) -> Mapping[str, object]:
        return {}


class _Compared(Expression):
    """A comparison by our own relations."""

    __slots__ = ("left", "relation", "right")

    def __init__(self, of: Any, relation: Callable[[Any, Any], bool]) -> None:
        super().__init__(of.token)
        self.left: Expression = of.left
        self.right: Expression = of.right
        literal = isinstance(self.left, Nil) or isinstance(self.right, Nil)
        self.relation = NIL.get(relation, _never) if literal else relation

    def evaluate(self, context: RenderContext) -> object:
        left, right = self.left.evaluate(context), self.right.evaluate(context)
        return self.relation(_taken(left, context), _taken(right, context))

    def children(self) -> list[Expression]:
        return [self.left, self.right]


def _same(left: Any, right: Any) -> bool:
    """`empty` and `blank` are kinds of values rather than values."""
    if isinstance(left, Empty | Blank):
        left, right = right, left
    if isinstance(right, Blank):
        return not values.true(left) or (isinstance(left, str) and not left.strip()) or left in ([], {})
    if isinstance(right, Empty):
        return left in ("", [], {}) and not isinstance(left, bool)
    return values.equal(left, right)


def _differ(left: Any, right: Any) -> bool:
    return not _same(left, right)


def _neither(left: Any, right: Any) -> bool:
    """The word `nil` is what is null, and what is missing; these two are not the same by themselves."""
    return left in (None, UNDEFINED) and right in (None, UNDEFINED)


def _never(left: Any, right: Any) -> bool:
    """The word `nil` is in no order with anything, although what is null counts as 0."""
    return False


NIL: Final[dict[Any, Callable[[Any, Any], bool]]] = {
    _same: _neither,
    _differ: lambda left, right: not _neither(left, right),
    values.contains: lambda left, right: isinstance(left, list) and None in left,
}
"""The relations of the word `nil`."""

RELATIONS: Final[dict[type[Expression], Callable[[Any, Any], bool]]] = {
    conditions.EqExpression: _same,
    conditions.NeExpression: _differ,
    conditions.LtExpression: values.less,
    conditions.GtExpression: lambda left, right: values.less(right, left),
    conditions.LeExpression: values.at_most,
    conditions.GeExpression: lambda left, right: values.at_most(right, left),
    conditions.ContainsExpression: values.contains,
}


def _ours(expression: Any) -> Any:
    """The condition with our comparisons in it."""
    if isinstance(expression, conditions.LogicalAndExpression | conditions.LogicalOrExpression):
        expression.left, expression.right = _ours(expression.left), _ours(expression.right)
    elif isinstance(expression, conditions.LogicalNotExpression):
        expression.right = _ours(expression.right)
    elif relation := RELATIONS.get(cast("type[Expression]", type(expression))):
        return _Compared(expression, relation)
    return expression


def _conditions(nodes: list[Node], context: RenderContext) -> Iterator[BooleanExpression]:
    for node in nodes:
        yield from (each for each in node.expressions() if isinstance(each, BooleanExpression))
        yield from _conditions(list(node.children(context)), context)


def _charged(run: Callable[..., Any]) -> Callable[..., Any]:
    """The filter as the library calls it: what it makes is taken from the room there is."""
    most = run.__code__.co_argcount - 1

    def apply(value: Any, *arguments: Any, context: _Context, **named: Any) -> Any:
        value = _taken(value, context)
        if named.get("allow_false") and value is False:
            return value
        made = run(_moment(value, context) if run in MOMENTS else value, *[plain(each) for each in arguments[:most]])
        context.spend(made)
        return made

    return with_context(apply)


def _moment(value: Any, context: _Context) -> Any:
    """`now` is when the event was received."""
    return context.globals.get("receivedAt", value) if value in ("now", "today") else value


def _off(name: str) -> Callable[..., Any]:
    def apply(*arguments: Any, **named: Any) -> Any:
        raise MappingFailed(f"cannot use its template: the filter {name} is switched off")

    return apply


def environment() -> Environment:
    """The library, set up for templates of mappings."""
    return _Dialect(strict_filters=False)


MOMENTS: Final = frozenset(DATES.values())


class _Dialect(Environment):
    template_class = _Template
    output_stream_limit = MAX_TEXT
    logical_not_operator = True
    shorthand_indexes = True

    def setup_tags_and_filters(self, *, extra: bool = False) -> None:
        super().setup_tags_and_filters(extra=False)
        self.add_tag(_Output)
        self.add_tag(_Echo)
        self.tags = {name: tag for name, tag in self.tags.items() if name in TAGS}
        self.filters = {name: _charged(run) for name, run in FILTERS.items()} | {name: _off(name) for name in OFF}

    def from_string(self, source: str, *arguments: Any, **named: Any) -> BoundTemplate:
        template = super().from_string(source, *arguments, **named)
        for condition in _conditions(template.nodes, RenderContext(template)):
            condition.expression = _ours(condition.expression)
        return template
