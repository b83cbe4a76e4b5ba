"""HTTP to the log: accepts a request of the tracking API, appends its body, answers 200 only when it is durable.

What comes in: the requests of Segment's clients as they are (contract: connections 1, clients 1-3): single calls,
batches, the pixel, metrics of the browser library, and the questions for a source's settings and for `analytics.js`,
which is built from `browser/`. What goes out: one record of `collected` a request (and partition) with
spec.event.CollectedHeader; the body is the sender's, decompressed, and mended only where it is not JSON.

What it promises:

- 200 is sent after the append has returned, and never before. When the log is away or too much is waiting the answer
  is 503 with Retry-After; nothing is then lost that was acknowledged. A log that spills takes requests in while it is
  away (`eventlog/spilling.py`).
- Bodies are read up to a bound in bytes and in time, inflated up to a bound, and held up to a bound for all together.
- What is refused with 400 is appended nonetheless, with the reason in `CollectedHeader.refused` and the body cut at
  32 KB, so that it shows as an outcome. The value of a refused record need not be JSON, and may be empty.
- Unknown keys, disabled sources and a locked workspace are answered 200 and appended; the pipeline records why they
  failed. An unknown key has an empty `source_id`; bodies of unknown keys are kept up to a rate, and beyond it the
  record is refused as `unknown_source` without its body.

What it refuses: to look into a body further than its envelope, to validate items, and to know any destination.

The walk: `routes` (what a path asks) > `intake` (the body, bounded) > `write_keys` (whose it is) > `accept` (the heart:
what a body says and whether it can be taken) > `throttle` > `split` (records by partition) > the log > `answers`. `app`
strings them together and holds the awaits; `loop` opens the port and closes it again.
"""
