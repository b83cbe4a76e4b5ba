"""Where the log is kept: one file a backend, named as the key in `log.url`. Each keeps `headwater.eventlog`'s promises.

Leaves only: what backends share lies one folder up. Opened by the wiring, and by tests.
"""
