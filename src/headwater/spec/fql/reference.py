"""The reference page of the language, from its functions and bounds."""

from __future__ import annotations

from headwater.spec.fql.functions import FUNCTIONS
from headwater.spec.fql.lexer import MAX_BYTES
from headwater.spec.fql.parser import MAX_DEPTH

_PAGE = """\
# {title}

{made}

A query of FQL says which events are meant. Filters of destinations and of spaces are written in it, and in a part of it
the triggers of subscriptions.

```text
type = 'track' and match(event, 'Order *')

properties.total >= 100 or 'vip' in properties.tags

!contains(context.library.name, 'js') and receivedAt >= '2024-01-31'
```

## Fields and values

A field is a path into the event as destinations get it: `event`, `userId`, `properties.total`, `context.page.url`. A
character in a name that is no letter from a to z, digit, `_` or `-` has a backslash before it:
`properties.product\\ 1`. A field that is called like a word of the language, or begins like a number, has one before
its first character. What is missing is null, and so is anything inside a list.

Values are text in single or double quotes, without escapes; numbers; `true`, `false`, `null`; and lists of these,
`['a', 1]`. `all`, alone, means every event.

## Conditions

| Form | Holds if |
| --- | --- |
| `a = 1`, `a != 1` | both are of one type and equal, or not. |
| `a > 1`, `>=`, `<`, `<=` | both are numbers, or both are text that spells a moment, and in that order. |
| `a in ['x', 'y']`, `'x' in a` | the value is in the list. |
| `a` | the field is `true`. |
| `!a`, `!(a = 1)` | the condition does not hold. A comparison needs the parentheses. |
| `a and b`, `a or b` | both hold, one holds. `and` is stronger; parentheses change it. |

Text is compared letter for letter, and never equals a number. Lists and objects are equal if their JSON is the same,
order of keys included. Null counts as false. Words are written in lower case.

## Functions

| Example | Result |
| --- | --- |
{functions}

What a function is not made for gives null, or false from `contains`, `match` and `semver`.

In a glob, `*` is any run of characters, `?` any character, `[abc]` and `[a-z]` one of these, `[^a-z]` any other, and a
backslash makes the character after it literal. A glob that is wrong matches nothing.

## Triggers

A trigger compares `type`, `event`, `name`, `userId` and what is in `properties`, `traits` and `context` with values, by
`contains`, and by `match` with a star at one end. Its text stands in double quotes. A field of another type than is
asked for fails both a question and its negation, but for `!=` and a text. `type` and `event` are texts, compared even
with `null` as such.

Conditions are joined by `and` or by `or`; both need parentheses, within which there are no others, and `contains` and
`match` come last. A name that begins with a digit has a backslash before it.

## Bounds

A query has at most {bytes:,} bytes and {depth} levels of nesting.
"""


def page(title: str, made: str) -> str:
    """The page in Markdown. `made` is the line that says so."""
    rows = [f"| `{function.example}` | {function.sentence} |" for function in FUNCTIONS.values()]
    return _PAGE.format(title=title, made=made, functions="\n".join(rows), bytes=MAX_BYTES, depth=MAX_DEPTH)
