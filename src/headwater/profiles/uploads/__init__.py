"""Files of people: from the bytes of a CSV file to identify calls (contract: profiles-governance 4.8).

In comes a file that somebody uploaded, which may be anything; out go what is wrong with it, or one call for each row.
A file is looked through to its end before anything is told of it, and never held in memory: no more of it than a row.
The same file gives the same calls with the same messageIds, so that one which broke off may be uploaded again.

`reading` finds the rows and `rules` is the pure heart that says what they mean.
"""
