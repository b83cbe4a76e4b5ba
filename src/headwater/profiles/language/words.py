"""The vocabulary: every function of the language with what it takes, what it means and an example.

The parser reads its functions from here, its messages choose their examples here, and the reference page is made from
it (contract: profiles-governance 3.3, 3.13).
"""

from __future__ import annotations

from typing import Literal as OneOf
from typing import get_args

import msgspec

from headwater.profiles.language.tree import Reducer

Takes = OneOf["scalar", "nothing", "values", "value", "moment", "duration"]


class Word(msgspec.Struct, frozen=True):
    """One function: an example of how it is written, and a sentence on what it does."""

    example: str
    sentence: str


class Comparator(Word, frozen=True):
    """A function that answers yes or no about a value. `takes` says what stands in its parentheses."""

    takes: Takes


EXTRACTORS: dict[str, Word] = {
    "event": Word("event('Order Completed')", "All track calls of that name; `Page Viewed` and `Screen Viewed` are "
                  "page and screen calls too, whose name is the property `page_name` or `screen_name`."),
    "trait": Word("trait('plan')", "A trait of the profile, computed or not, or an audience by its key."),
    "property": Word("property('total')", "A property of the event, inside `where` or a reducer; "
                     "`property(parent: 'sku')` is one of the event around it."),
    "context": Word("context('page.url')", "A field of the event's context, inside `where` or a reducer."),
    "literal": Word("literal(100)", "A value as it stands; text and numbers may also stand alone."),
    "entity": Word("entity('orders')", "Rows of a linked table; refused, since linked audiences are not built."),
}  # fmt: skip

FILTERS: dict[str, Word] = {
    "where": Word(".where(property('total') >= 50)", "Keeps the events for which the condition holds."),
    "sources": Word(".sources({exclude: 'id1', 'id2'})", "Drops events of these sources, named by id."),
    "within": Word(".within(14 days)", "Keeps events no older than that. `within(parent: 1 day)`, in a funnel, keeps "
                   "those that came after the event around it and no later than that."),
    "between": Word(".between(7 days, 10 days)", "Keeps events whose age lies between the two, both included."),
    "expires_after": Word(".expires_after(1800 seconds)", "Keeps the latest session: events that follow each other by "
                          "no more than that, from 30 minutes to 90 days. Computed traits only."),
}  # fmt: skip

REDUCERS: dict[Reducer, Word] = {
    "count": Word(".count()", "How many; after `unique`, how many different values."),
    "sum": Word(".sum(property('total'))", "The sum of the values that are numbers."),
    "avg": Word(".avg(property('total'))", "Their average."),
    "max": Word(".max(property('total'))", "The greatest number; `as string`, the last text in alphabetical order."),
    "min": Word(".min(property('total'))", "The smallest number; `as string`, the first text in alphabetical order."),
    "mode": Word(".mode(property('category'), 2)", "The most frequent value, if it occurred so often (2 unless said); "
                 "of equally frequent ones the first in alphabetical order. Values count as text, `as number` as "
                 "numbers, and `as array` a whole `$` list counts as one."),
    "first": Word(".first(property('referrer'))", "The value of the earliest event that has one."),
    "last": Word(".last(property('referrer'))", "The value of the latest event that has one."),
    "unique": Word(".unique(property('sku'))", "The list of different values as text, in alphabetical order."),
}  # fmt: skip

COMPARATORS: dict[str, Comparator] = {
    "equals": Comparator(".equals('pro')", "The same value; also `=` and `==`. Numbers equal numbers in text, true "
                         "equals 'true'.", "scalar"),
    "differs": Comparator(".differs('pro')", "There is a value, and it is another; also `!=`.", "scalar"),
    "greater_than": Comparator(".greater_than(5)", "Greater, as a number, or as text if both are text; also `>`.",
                               "scalar"),
    "at_least": Comparator(".at_least(5)", "Greater or equal; also `>=`.", "scalar"),
    "less_than": Comparator(".less_than(5)", "Less; also `<`.", "scalar"),
    "at_most": Comparator(".at_most(5)", "Less or equal; also `<=`.", "scalar"),
    "exists": Comparator(".exists()", "There is a value, other than null.", "nothing"),
    "absent": Comparator(".absent()", "There is no value, or null.", "nothing"),
    "contains": Comparator(".contains('boot', 'shoe')", "The text has one of these in it.", "values"),
    "omits": Comparator(".omits('boot')", "Not `contains`; holds where there is no value.", "value"),
    "starts_with": Comparator(".starts_with('https')", "The text begins so.", "value"),
    "ends_with": Comparator(".ends_with('.org')", "The text ends so.", "value"),
    "one_of": Comparator(".one_of('pro', 'team')", "Equals one of these.", "values"),
    "none_of": Comparator(".none_of('pro', 'team')", "Not `one_of`; holds where there is no value.", "values"),
    "before_date": Comparator(".before_date('2024-01-31T12:00:00Z')", "Before that instant.", "moment"),
    "after_date": Comparator(".after_date(2024-01-31)", "After that instant; a day alone is its first instant, UTC.",
                             "moment"),
    "within_last": Comparator(".within_last(7 days)", "Not later than now, and not before that long ago.", "duration"),
    "within_next": Comparator(".within_next(7 days)", "Not before now, and not later than in that time.", "duration"),
    "before_last": Comparator(".before_last(7 days)", "That long ago, or longer.", "duration"),
    "after_next": Comparator(".after_next(7 days)", "In that time, or later.", "duration"),
}  # fmt: skip

SYMBOLS: dict[str, str] = {
    "=": "equals",
    "==": "equals",
    "!=": "differs",
    ">": "greater_than",
    ">=": "at_least",
    "<": "less_than",
    "<=": "at_most",
}
"""Signs that stand for comparators."""

RELATIVE = frozenset({"within_last", "within_next", "before_last", "after_next"})
"""Comparators whose answer depends on what time it is."""

assert tuple(REDUCERS) == get_args(Reducer)
