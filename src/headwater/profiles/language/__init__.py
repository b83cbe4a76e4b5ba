"""The language of audiences and computed traits: read, checked, and made into what counts events as they come.

A query comes in as text. `parse` reads it into frozen data, `show` writes that back in one form, `check` holds it
against the rules of its kind and level; what is wrong raises a QueryError with the place and what was expected there.

Pure: no clock, no disk, no store.
"""

from headwater.profiles.language.errors import QueryError
from headwater.profiles.language.parser import parse
from headwater.profiles.language.show import show
from headwater.profiles.language.tree import Query

__all__ = ["Query", "QueryError", "parse", "show"]
