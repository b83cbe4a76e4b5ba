"""Which profile an event belongs to, why, and how to take that back (contract: profiles-governance 1).

What comes in: a space's rules, events in their order, and a `View` of the graph as far as these events touch it. What
goes out: for each event its profile and companies, and `Changes`: new profiles, links, merges and violations, each with
its cause.

What it promises. An identifier belongs to one profile at a time. A merge never breaks a limit: the weakest identifier
of the event is left out instead, and the violation says so. Every link and merge can be explained (`explain`) and a
merge undone exactly (`unmerge`), as an identifier stays with the profile that it was first given to. Events that are
resolved again come to the same profiles, and change nothing a second time. An identifier that somebody removed leads
nowhere from then on; the merges that it caused stay, and can be explained and undone as before.

What it refuses: to guess. Identifiers match when they are the same, letter for letter.

`extract` reads identifiers off an event; `resolve` decides; `view` is what is remembered of the graph; `simulate` tries
other rules. All of it is pure, but for the reading of the graph that the caller hands over.
"""
