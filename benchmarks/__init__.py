"""One file a claim. Each prints its figures beside a baseline taken in the same run, and keeps them as JSON.

`python -m benchmarks` runs them all, `python -m benchmarks start_up` one. Only ratios are worth comparing between
machines.
"""
