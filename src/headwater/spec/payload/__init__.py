"""Payloads: what a mapping made, brought into the shape that an action's fields ask for (contract: connections 6.11).

`compile_fields` reads the fields once and gives a function from a payload, and whether it is one of a batch, to the
payload as the action gets it and everything that is wrong with it, each a sentence with its path. First goes what is
empty: null where a field takes none, and empty text where it takes no text, or anywhere at the top of a payload that is
sent alone. Then values are converted where that loses nothing (`"5"` for a number, `5` for text, one value for a list
of them), and what no field names is dropped. A payload with problems is not to be sent, now or again.

Everything is as the schema library of the actions does it, in its order, to the letter. The function never changes what
it is given, and what it gives may share parts with it.
"""

from headwater.spec.payload.compiled import Prepare, compile_fields

__all__ = ["Prepare", "compile_fields"]
