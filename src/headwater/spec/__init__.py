"""The words of the house: what an event is, what can become of it, and how its parts are written.

Everything here is pure: no clock, no disk, no network, no room above. Structs are frozen, except the event while it is
inside the pipeline, which owns it. A rule taken from Segment's behaviour names the section of the contract it follows.
"""
