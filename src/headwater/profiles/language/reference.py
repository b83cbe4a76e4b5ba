"""The reference page of the language, from its vocabulary and bounds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from headwater.profiles.language.check import MAX_FUNNEL
from headwater.profiles.language.keeping import MAX_ITEMS
from headwater.profiles.language.lexer import MAX_TEXT
from headwater.profiles.language.parser import MAX_DEPTH, MAX_EXPRESSIONS
from headwater.profiles.language.reducing import MAX_VALUES
from headwater.profiles.language.values import LONGEST_TEXT
from headwater.profiles.language.words import COMPARATORS, EXTRACTORS, FILTERS, REDUCERS, Word

_PAGE = """\
# {title}

{made}

An audience is a condition on a profile, a computed trait is a value of one. Both are written in this language:

```text
event('Order Completed').where(property('total') >= 50).within(14 days).count() >= 2

trait('plan').one_of('pro', 'team') AND (trait('vip') = 'true' OR trait('seats') > 10)

event('Order Completed').within(90 days).sum(property('total'))
```

A chain begins with an extractor. Filters narrow a stream of events, a reducer brings it to one value, a comparator
makes a condition of a value. An audience ends in a comparator, a computed trait before one. `NOT`, `AND` and `OR` join
conditions, in this order of strength; parentheses change it. Words are written in any case, names and text in single
or double quotes; a backslash stands before a quote or a backslash in them.

## Extractors

{extractors}

In a name, dots lead into objects: `trait('company.plan')`. `$` leads into every entry of a list:
`property('products.$.sku') = 'A'` holds if one entry has it, and each condition looks at all entries for itself. A dot
that belongs to a name has a backslash before it, which text in quotes doubles: `property('a\\\\.b')`.

## Filters

{filters}

The order of filters does not matter; a session is one of the events that all others leave. Ages are exact to the
millisecond and both ends are included: an event exactly 14 days old is within 14 days. Hours and days are units, in
sessions also seconds. Events with a timestamp in the future count at once. Without a window all events count that ever
came.

## Reducers

{reducers}

They take a `property(...)` or a `context(...)`. Null, NaN and what is missing are no values; false is one. A trait of
nothing is absent, counts too; in a condition `count()` of nothing is 0.

## Comparators

{comparators}

What a value is compared with may be another value: a trait, a property, another count.

- Text that spells a number is one beside a number: `'12.50' = 12.5`. Two texts are equal only letter for letter.
- Greater and less compare numbers as numbers, and other text letter by letter, which suits dates in one form.
- No comparison holds for null, except `absent`, and `NOT`, `omits` and `none_of`, which say that another does not hold.
- A date on an event or profile must have its zone, such as `2024-01-31T12:00:00Z`; without one it is no date.
- Lists and objects without `$` read as their JSON text.

## Funnels

An event inside the `where` of another is one that came after it, strictly. `within(parent: ...)` says how soon, and
`property(parent: ...)` is a property of the event around it:

```text
event('Cart Viewed').where(
  property('sku') = 'A' AND NOT event('Order Completed').within(parent: 1 day).count() >= 1
).within(7 days).count() >= 1

event('Product Viewed').where(
  event('Order Completed').where(property('products.$.sku') = property(parent: 'sku')).count() >= 1
).count() >= 1
```

Every event around is looked at: a cart viewed again after an order is a cart without an order. It is one at once; to
wait until the day is over, look at carts that are a day old:

```text
event('Cart Viewed').where(NOT event('Order Completed').within(parent: 1 day).count() >= 1)
  .between(1 day, 7 days).count() >= 1
```

## Sessions

```text
event('Page Viewed').expires_after(1800 seconds).count()
```

The trait is always of the current session, or of the latest.

## Accounts

A definition of accounts may ask the linked users. `ANY` holds if one user satisfies what follows, `ALL` if every user
does, also where there is none; `ALL NOT` if none does. A comparison with an event outside of them means `ANY`; one of
traits alone asks the account's own traits. A computed trait of accounts counts the events of all linked users.

```text
ALL (event('Login').within(30 days).count() >= 1)

trait('plan') = 'enterprise' AND ANY (trait('role') = 'admin' AND event('Invoice Viewed').count() >= 1)
```

## Bounds

| What | At most |
| --- | --- |
| Text of a query | {text:,} characters |
| Comparisons in it | {expressions} |
| Nesting | {depth} levels |
| Events inside each other in a funnel | {funnel} |
| A length of time | 3,650 days; a session's gap from 30 minutes to 90 days |
| Events kept for a window, session, or condition that is judged later | {items:,}, the newest |
| The same in a funnel of two events, of three | {two:,} of each, {three:,} of each |
| Different values of `mode` and `unique` | {values:,}, the first that come |
| Text of a value that is kept | {longest:,} characters |
"""


def page(title: str, made: str) -> str:
    """The page in Markdown. `made` is the line that says so."""
    return _PAGE.format(
        title=title,
        made=made,
        extractors=_table(EXTRACTORS),
        filters=_table(FILTERS),
        reducers=_table(REDUCERS),
        comparators=_table(COMPARATORS),
        text=MAX_TEXT,
        expressions=MAX_EXPRESSIONS,
        depth=MAX_DEPTH,
        funnel=MAX_FUNNEL,
        items=MAX_ITEMS[0],
        two=MAX_ITEMS[1],
        three=MAX_ITEMS[2],
        values=MAX_VALUES,
        longest=LONGEST_TEXT,
    )


def _table(words: Mapping[Any, Word]) -> str:
    rows = [f"| `{word.example}` | {word.sentence} |" for word in words.values()]
    return "\n".join(["| Example | Meaning |", "| --- | --- |", *rows])
