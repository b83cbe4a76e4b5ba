"""Who was whom, and when: the identity graph told as a log (contract: profiles-governance 1.8, 4.4). Pure.

A profile is itself when it is made; with each merge all whom it brings under another profile turn to that one, also
those who came to the loser before; and when a merge is undone, those whom it alone held turn back. Merges are taken in
the order of the events that made them. The oldest of profiles that are one is canonical, as it is in the store.

The same graph gives the same turns with the same ids, and a graph that has grown gives the same and more.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from headwater.spec.graph import Cause, Link, Merge, make_id

_SEQ_PER_MS = 1_000


class Turn(msgspec.Struct):
    """From `at` on (milliseconds), a profile is another's, or its own. It becomes a row of `id_graph_updates`.

    `merge` is the one that was made or, when `undone`, taken back; None when the profile was made. `cause` is the event
    behind it, if there is one. `seq` orders the turns of one profile.
    """

    id: str
    segment_id: str
    canonical_id: str
    at: int
    seq: int
    cause: Cause | None
    merge: Merge | None = None
    undone: bool = False


Turns = dict[str, list[Turn]]
"""The turns of each profile, in their order; there is always one."""


def seq_of(at: int, place: int = 0) -> int:
    """The number by which rows are ordered: the moment, and a place among what happened in the same millisecond."""
    return at * _SEQ_PER_MS + place % _SEQ_PER_MS


def replay(profiles: Mapping[str, int], links: Iterable[Link], merges: Sequence[Merge]) -> Turns:
    """Every turn of these profiles (id to the moment it was made), which hold both ends of each merge."""
    makers: dict[str, Cause] = {}
    for link in links:
        if not link.cause.matched:
            makers[link.profile_id] = link.cause
    turns: Turns = {
        id: [Turn(make_id("igu_", at, id), id, id, at, seq_of(at), makers.get(id))] for id, at in profiles.items()
    }
    for members, theirs in _crowds(merges):
        _retell(turns, {id: profiles[id] for id in members}, theirs)
    return turns


def canonical_at(turns: Sequence[Turn], at: int) -> str:
    """Whose a profile was at a moment; before it was made, its own."""
    found = turns[0].canonical_id
    for turn in turns:
        if turn.at <= at:
            found = turn.canonical_id
    return found


def _crowds(merges: Sequence[Merge]) -> Iterator[tuple[list[str], list[Merge]]]:
    """Profiles that merges ever connected, with these merges."""
    theirs: defaultdict[str, list[Merge]] = defaultdict(list)
    for merge in merges:
        theirs[merge.left_id].append(merge)
        theirs[merge.right_id].append(merge)
    seen: set[str] = set()
    for start in sorted(theirs):
        if start in seen:
            continue
        members, found = _reach(start, theirs)
        seen |= members
        yield sorted(members), list(found.values())


def _reach(start: str, theirs: Mapping[str, list[Merge]]) -> tuple[set[str], dict[str, Merge]]:
    members, found, waiting = {start}, dict[str, Merge](), [start]
    while waiting:
        for merge in theirs[waiting.pop()]:
            found[merge.id] = merge
            for end in (merge.left_id, merge.right_id):
                if end not in members:
                    members.add(end)
                    waiting.append(end)
    return members, found


def _retell(turns: Turns, made: Mapping[str, int], merges: Sequence[Merge]) -> None:
    """Add what merges did to profiles that they connect."""
    roots = {id: id for id in made}
    standing: dict[str, Merge] = {}
    for merge, undone in _in_order(merges):
        if undone:
            del standing[merge.id]
        else:
            standing[merge.id] = merge
        now = _roots(made, standing.values())
        at = (merge.undone_at or 0) if undone else merge.cause.at
        for id in sorted(made):
            if now[id] != roots[id]:
                _add(turns[id], now[id], at, merge, undone=undone)
        roots = now


def _add(turns: list[Turn], canonical_id: str, at: int, merge: Merge, *, undone: bool) -> None:
    before = turns[-1]
    id = make_id("igu_", at, before.segment_id, canonical_id, merge.id, "undone" if undone else "")
    seq = max(seq_of(at), before.seq + 1)
    cause = None if undone else merge.cause
    turns.append(Turn(id, before.segment_id, canonical_id, at, seq, cause, merge, undone))


def _in_order(merges: Sequence[Merge]) -> list[tuple[Merge, bool]]:
    """Each merge, and again with True where it was undone, in the order of time.

    Of merges of one millisecond, one comes first that does not end the profile that another still adds to.
    """
    steps: list[tuple[int, int, Merge]] = []
    waiting = sorted(merges, key=lambda merge: (merge.cause.at, merge.id))
    while waiting:
        at = waiting[0].cause.at
        now = [merge for merge in waiting if merge.cause.at == at]
        survivors = {merge.survivor_id for merge in now}
        first = next((merge for merge in now if merge.merged_id not in survivors), now[0])
        waiting.remove(first)
        steps.append((at, len(steps), first))
    later = len(steps)
    made_at = {merge.id: at for at, _, merge in steps}
    undone = [
        (max(merge.undone_at, made_at[merge.id]), later + place, merge)
        for place, merge in enumerate(sorted(merges, key=lambda merge: merge.id))
        if merge.undone_at is not None
    ]
    return [(merge, place >= later) for _, place, merge in sorted(steps + undone, key=lambda step: step[:2])]


def _roots(made: Mapping[str, int], merges: Iterable[Merge]) -> dict[str, str]:
    """The oldest profile of those that these merges make one, for each."""
    edges: defaultdict[str, list[str]] = defaultdict(list)
    for merge in merges:
        edges[merge.left_id].append(merge.right_id)
        edges[merge.right_id].append(merge.left_id)
    roots: dict[str, str] = {}
    for id in sorted(made, key=lambda id: (made[id], id)):
        waiting = [id]
        while waiting:
            if (one := waiting.pop()) not in roots:
                roots[one] = id
                waiting += edges[one]
    return roots
