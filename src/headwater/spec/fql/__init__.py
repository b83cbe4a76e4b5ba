"""The filter query language (FQL): a condition on one event, as destination filters, space filters and triggers use it.

A query comes in as text of at most 5 KB. `parse` reads it into frozen data and raises an FqlError with the place and
what was expected there; `show` writes that back in one form. `compile_query` makes it a function from an event's body
to yes or no (contract: connections 6.6, profiles-governance 3.14). `compile_trigger` does the same for the triggers of
subscriptions, which are written in a part of the language and look at missing values in their own way (6.9).

The functions answer whatever the event holds: nothing in an event makes them raise or wait, and their time is linear in
the query and the event. The language knows nothing of clocks, of what an event is for, or of who asks.
"""

from headwater.spec.fql.compiled import Holds, compile_query
from headwater.spec.fql.errors import FqlError
from headwater.spec.fql.parser import parse
from headwater.spec.fql.show import show
from headwater.spec.fql.tree import Query
from headwater.spec.fql.triggers import compile_trigger

__all__ = ["FqlError", "Holds", "Query", "compile_query", "compile_trigger", "parse", "show"]
