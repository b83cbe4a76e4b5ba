"""SQL traits: what queries give becomes traits of profiles, on a schedule (contract: profiles-governance 3.5).

In come the SQL traits of the store that are due, one at a time. Out go identify and group calls, appended to
`collected` as batches of the space's own source, from where they are events like any other.

- Only rows that are new or changed are told. What was told last is remembered by a hash for each key, in a file for
  each SQL trait under `sql_traits` in the data folder. A row that is gone is told once more, with all its traits null.
  Where the archive is elsewhere, a copy of the file lies beside it for the host that runs the SQL trait next.
- A run that was interrupted, even by kill -9, is begun again, and what it had told is not told twice: messageIds are
  made of what is told, so that deduplication takes care of what was appended but not remembered. That holds as long as
  deduplication does, for a day.
- The query runs to its end before anything is told: with one row too many, or an error in the last, nothing is.
- Whoever deletes an SQL trait leaves profiles as they are; the file goes, and nothing is told.

`rules` is the pure heart, `memory` the file, `run` one run, `keeper` the loop, and `sampling` a run that tells nobody.
"""
