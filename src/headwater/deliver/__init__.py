"""From processed events to destinations: reads `processed`, sends, and accounts for every delivery in `outcomes`.

What comes in: records of `processed`, whose header names the destinations that the pipeline chose, and deliveries that
were parked before. What goes out: requests; one record of `outcomes` for each chunk, with the counts of its deliveries
and notes of its attempts; rows of the store for what failed or had to wait.

What it promises
- At least once: the cursor passes an event when each of its deliveries has ended or is parked. A killed deliver sends
  again what its last chunks had not committed, and nothing else.
- Nobody waits for somebody else's destination. Each has a bounded lane with its own concurrency, batches, rate and
  circuit breaker. What a lane does not finish within `grace_seconds` is parked, so that the cursor can go on: at once
  when the destination does not answer, and when it is merely slow as soon as that holds up another. A request under
  way goes on, and ends its parked row when it ends. What succeeds at the first attempt never touches the store.
- Every answer is judged in one place (`classify.py`), retries end at a horizon, and what failed for good is kept with
  its payload, to be looked at and sent again.
- The books are exact, also over a crash. Each delivery of a chunk is counted in its `outcomes` record as matched, and
  once more as filtered, delivered or pending. What has a row in the store is *always* pending there, in the minute and
  with the reason that the row was parked with; every later fate is moved in the ledger by the transaction that changes
  the row (`store/parked.py`). Rows are written before the chunk is committed. So when a chunk is read again after a
  crash, the rows of its deliveries are known: they are not sent again by the chunk, and are counted from what the rows
  say of their beginning, whatever became of them since. Until the chunk's record is folded, the ledger may show a
  negative pending count; it never stays.

A delivery is of an event, a destination and, where the destination has subscriptions, one of those: an event that three
subscriptions match is three deliveries, each tried, parked, counted and sent again by itself (contract: connections
6.8). What a destination's filters left of an event is what is sent and kept; a filter or subscription that is changed
later does not touch what waits, but for one that is removed or switched off, whose deliveries fail (6.3, 6.19).

What it refuses: to reach private addresses that the operator has not allowed, to follow redirects, to show secrets in
samples, and to promise order.

A note's request sample is what was sent, with secrets redacted; for a webhook that is the event itself. Successful
attempts are sampled a few times a second for each destination and some more in all, failed ones more often; the note
itself is always there. An attempt whose delivery is parked stands in the row's notes, and if it was the first also in
`outcomes`, with the same `at`. A request that covers events of several chunks leaves a note in each.

    loop.py       the role: wires up, starts and stops the rest
    walk.py       one partition: reads, commits, and parks what holds the cursor up
    fanout.py     from a chunk's records to what each destination gets of them
    passage.py    a chunk on its way through the lanes
    lanes.py      all lanes: made when first needed, changed with the workspace
    lane.py       one destination: what waits (queues.py), what is under way, what became of it
    slots.py      how many requests are under way at once, and whose turn it is
    plan.py       a destination's settings, opened and checked
    decide.py     what a destination does with an event: filters, then the subscriptions that match
    ways.py       how an event is tried once it was decided on: grouped, mapped, performed
    performing.py who performs what is no generator of requests
    attempt.py    drives an action's generator; dry runs
    tokens.py     the open tokens of destinations with OAuth, refreshed by one at a time (oauth.py)
    transport.py  the only way out by HTTP, with the guard at it (addresses.py)
    writers.py    the connections of destinations that do not speak HTTP
    classify.py   what an answer means
    backoff.py, breaker.py, pace.py   when to try (again)
    redact.py     samples without secrets
    settle.py     what became of a request: counts, notes, rows, changes (fates.py, samples.py)
    backlog.py    the only writer of parked rows
    comeback.py   how parked deliveries come back
    replay.py     from events of the archive (past.py) to deliveries; replaying.py makes them out, step by step
"""
