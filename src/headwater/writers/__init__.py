"""Connections to what does not speak HTTP: Kafka, NATS and PostgreSQL, and the files that others send.

What comes in: the settings of a destination, the guard that says which addresses may be reached, and events. What goes
out: what of them the other side has stored. `connect` of each file opens a writer, as `spec/destination.py` describes
it; deliver keeps it open, sets its deadlines and tries again (`deliver/writers.py`).

It promises that an event counts as stored only when the other side has said so, that each event's fate is told by
itself, and that the same events written again do not stand there twice where the other side can tell. Drivers are
imported when a connection is first opened, so a process holds only what its workspace uses.

It refuses to connect where the guard does not lead, and to know of retries, plans or logs.
"""
