"""Who an event is about, what is known of them, and which audiences they are in.

Identity is a graph: `identity/` says which profile an event belongs to, and keeps the cause of every link and merge, so
that each can be explained and undone. Profiles are a fold: what is known of one is what its events say, in the order of
their timestamps. `language/` is what audiences and computed traits are written in.

In come events as the pipeline has them; out go profile ids, and what changed in the graph. The same events give the
same profiles, however often they are resolved again after a crash. What breaks a limit is never merged in silence: the
weaker identifier is left out, and the violation is kept.
"""
