"""From requests to events: reads `collected`, writes `processed`, and accounts for every event in `outcomes`.

What comes in: records of `collected`, one a request, as collect took them. What goes out: one record of `processed` for
each event in its final form, with the destinations it was routed to in its header, and one record of `outcomes` for
each chunk, with a count for every fate and the payload of what failed.

What it promises: exactly once. The records that a chunk leads to and the cursor past the chunk are one transaction of
the log, so a killed pipeline starts again where it stood. A messageId seen within the window is a duplicate whatever
the payload; the index of messageIds is derived from `processed` and catches up from it. The counts of every chunk
balance: received = failed_on_ingest + duplicate + filtered_at_source + processed. What a chunk changes in the identity
graphs is written before the chunk is committed, and is found there if the chunk must be done again.

What it refuses: to lose anything for one bad item. A request or item that cannot be used is set aside with its reason
and payload, and its neighbours go on. An event belongs to the pipeline while it is here, and is changed in place.

The walk: `unpack` (request to items) > `validate` > `normalise` > `seen` (duplicates) > `enrich/` > `resolve` (who it
is about) > `route` (where it goes) > `publish`. `process` strings them together and is pure; `graphs` reads and writes
the identity graphs; `loop` reads, commits and holds the other awaits; `plan` compiles the workspace when it changes.
"""
