"""What every backend, engine, destination and enrichment must keep, as suites that anyone can run over their own.

In comes a thing that claims to keep a contract; out comes nothing, or an AssertionError with a sentence that says which
promise was broken. The doubles that suites and tests use stand here too: real ones, which keep the same contracts. A
suite refuses to know which backend it tests, to skip, and to rely on how fast the machine is.
"""
