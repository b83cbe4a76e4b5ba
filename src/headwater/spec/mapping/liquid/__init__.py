"""Templates of Liquid in mappings: at most 1,000 characters, over the event as its root (6.10).

Filters and the way values read as text are those of the JavaScript engine that mappings are written for. What could run
long or away is not there: loops, templates in templates, and filters over lists that the engine lacks as well. One
rendering makes at most MAX_TEXT characters in all, and `now` is the moment when the event was received, so that a
template gives the same whenever it is asked.
"""

from headwater.spec.mapping.liquid.template import MAX_TEMPLATE, compile_liquid, names

__all__ = ["MAX_TEMPLATE", "compile_liquid", "names"]
