"""Profiles Sync: the people of a space as tables of a warehouse (contract: profiles-governance 4.4).

In come the events of `processed` and the identity graph of the store. Out go, in one schema: the logs
`id_graph_updates`, `external_id_mapping_updates` and `profile_traits_updates`, to which rows are only added; the tables
`user_traits`, `user_identifiers` and `profile_merges`, which say how it is now; and the events, each with its profile.

It promises that each row of a log is there once, whatever is done again: its id follows from what it tells of. What the
graph learned from an event is in the store before the event is in the log, so whoever reads the log misses nothing of
it. And an event is loaded only when its traits are folded, so that the tables are never behind the logs.

`history`, `sighting` and `standing` are pure; `put` works within a session, in a thread; `keeper` holds the awaits.
"""
