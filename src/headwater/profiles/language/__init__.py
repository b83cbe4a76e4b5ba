"""The language of audiences and computed traits: read, checked, and made into what counts events as they come.

A query comes in as text. `parse` reads it into frozen data, `show` writes that back in one form, `check` holds it
against the rules of its kind and level; what is wrong raises a QueryError with the place and what was expected there.
`references`, `find_cycle` and `columns` tell what it reads. `compile_query` makes it ready to run: a Compiled takes
items into a state, in any order, and says of a state, traits and an instant what the answer is and when it may change
although nothing comes. The stream, the backfill and the preview run the same Compiled, so they cannot disagree.

States are bounded and can be written (`dump`, `load`), and those of two profiles merge. The language promises that no
text costs more than its length to read, and no query more than its states' bounds to answer. It refuses to know of a
clock, a disk or a store.
"""

from headwater.profiles.language.check import Kind, Level, check, kind_of, refuse_traits
from headwater.profiles.language.compiled import Compiled, compile_query, dump, load
from headwater.profiles.language.errors import QueryError
from headwater.profiles.language.items import Item, event_name
from headwater.profiles.language.keeping import State
from headwater.profiles.language.parser import parse
from headwater.profiles.language.show import show
from headwater.profiles.language.tree import Query
from headwater.profiles.language.walking import Needs, References, columns, find_cycle, references

__all__ = [
    "Compiled",
    "Item",
    "Kind",
    "Level",
    "Needs",
    "Query",
    "QueryError",
    "References",
    "State",
    "check",
    "columns",
    "compile_query",
    "dump",
    "event_name",
    "find_cycle",
    "kind_of",
    "load",
    "parse",
    "references",
    "refuse_traits",
    "show",
]
