"""The archive, to replays: what it holds of a source, page by page in the order of positions.

In comes what a replay wants (`spec.replay.Wanted`) and the place from which on. Out come pages of events, read by a
process of its own, so that whoever asks keeps its memory and its time.

It promises every event that the archive holds, once and in order, whatever the archive puts together meanwhile: who is
told that it cannot be read any further asks again from the last place.

It refuses to say what is not archived yet; each answer says how far the archive reached.

    choosing.py   which files hold which positions, and what to ask of them (pure)
    reading.py    the process that reads
    archived.py   starts it, and takes its pages
"""
