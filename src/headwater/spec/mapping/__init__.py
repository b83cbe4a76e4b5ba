"""Mappings: what of an event becomes which field of an action (contract: connections 6.10).

A mapping comes in as JSON: text, numbers and lists stand for themselves, and an object with a directive, such as
`{"@path": "$.userId"}`, for what that makes of the event. `compile_mapping` reads it once, raises a MappingError with
every problem and its path, and gives a function from an event's body to what the fields get. What an event lacks leaves
no key behind, while null stays null.

The function gives the same for the same event, whenever it is asked, and changes nothing that it is given. Its time is
linear in the mapping and the event, what it makes is bounded, and whatever the event holds, it answers or raises
MappingFailed. The language knows nothing of actions, of their fields, or of whether these may be missing.
"""

from headwater.spec.mapping.compiled import DIRECTIVE, INTERNAL, MATCHING_KEY, SYNC_MODE, compile_mapping
from headwater.spec.mapping.errors import MappingError, MappingFailed, Problem
from headwater.spec.mapping.reads import mapped_paths

__all__ = [
    "DIRECTIVE",
    "INTERNAL",
    "MATCHING_KEY",
    "SYNC_MODE",
    "MappingError",
    "MappingFailed",
    "Problem",
    "compile_mapping",
    "mapped_paths",
]
