"""Audiences and computed traits: what is counted of events, what that makes true of a profile, and who is told.

In come events as they are folded; out go values, which a profile has as it has traits, and calls for the destinations
that want to know of each change. A change is one write with the place up to which events are counted, so that nobody
enters twice or leaves unheard, whatever process ends when. What was before a computation is the archive's to count
(`past`); the stream begins where that ends, to the position.
"""
