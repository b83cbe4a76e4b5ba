"""The operations: every thing that can be asked of the house, in one list.

What comes in: requests of people, scripts and agents, over HTTP (`http.py`) or from the command line. What goes out:
answers, and changes to the store. An operation is a typed function with a request Struct, an answer Struct, a scope and
one sentence; the HTTP API, its OpenAPI document and the command line are read off the registry, so whatever a person
can click, a script can do (contract: public-api).

It promises that each operation is checked against the caller's scopes in one place, that each change is written to the
audit trail in the transaction that makes it, and that secrets never leave. The role also keeps the books: it folds the
outcomes of the other rooms into the ledger exactly once (`ledger.py`), and lets the log forget what is old.

It refuses to write to the log, to call destinations but for a trial that somebody asks for, and to hold back anybody: a
slow reader of the live tail loses events and is told how many.

    operation.py    what an operation is, and the registry
    desk.py         the ports that operations use, and who asks
    operations/     the operations, one file a resource
    scopes.py       who may do what
    passwords.py    checking passwords, slowly and not many at once
    throttle.py     how often somebody may guess one
    granting.py     who may give whom which role
    reading.py      from query text and JSON to a request Struct, with all problems at once
    http.py         the application, read off the registry
    openapi.py      the document, read off the registry
    tail.py         processed events as they come, from a place on
    feeds.py        the newest events, read once for all who look
    overview.py     what needs attention
    lags.py         who is behind in the log
    disk.py         what takes room in the data folder
    describing.py   destinations of the catalogue, as the API shows them
    subscribing.py  what a subscription may say, and what its action will miss
    previewing.py   an event on its way to one destination, for trial
    attempting.py   a trial of one way of a destination, dry or for real
    comparing.py    two sets of requests beside each other
    asking.py       what a destination is asked beside deliveries
    trials.py       what trials need, opened when it is needed
    sampling.py     what is in events, looked at now and then
    trail.py        what became of one event
    ledger.py       the fold of outcomes into the books
    loop.py         the role
"""
