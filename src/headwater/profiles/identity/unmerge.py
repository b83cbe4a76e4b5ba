"""Taking a merge back, exactly: everything falls apart as if that merge had never been made.

Identifiers stay with the profile that they were first given to, and a merge is an edge between the two profiles whose
identifiers met. Without the edge, what it alone held together is in two parts; each part's oldest profile is canonical,
as it would have been. Under which reading: an identifier that came later, with an event of the merged person, goes to
the side of the strongest identifier of its event that was known then; an event that named both sides counts for the
stronger one; and limits count for the merged person while it is merged, so an identifier that was refused then is not
added now. Later merges stay, on the side where their identifiers met.

The sides are kept apart from then on: an event that names both loses its weaker identifier, until that is lifted.
"""

from __future__ import annotations

from headwater.profiles.identity.explain import explain, in_force, reachable
from headwater.spec.errors import SenderError
from headwater.spec.graph import Component, Merge


def merge_between(component: Component, first: str, second: str) -> Merge:
    """The merge that made two names one: the newest on the path between them.

    Raises SenderError when no merge did, since both identifiers were given to one profile from the beginning.
    """
    merges = explain(component, first, second).merges
    if not merges:
        raise SenderError(
            f"No merge made {first} and {second} one: both were given to the same profile.",
            code="not_merged",
        )
    return max(merges, key=lambda merge: (merge.cause.at, component.merges.index(merge)))


def divide(component: Component, merge_id: str) -> dict[str, str]:
    """The canonical profile of each of the component's profiles without one of the merges in force.

    Raises SenderError when that merge is not in force here.
    """
    left = [merge for merge in in_force(component) if merge.id != merge_id]
    if len(left) == len(in_force(component)):
        raise SenderError("This merge is undone already.", code="not_merged")
    roots: dict[str, str] = {}
    for profile_id in component.profiles:
        if profile_id not in roots:
            together = reachable(left, profile_id)
            oldest = min(together, key=lambda one: (component.profiles[one], one))
            roots |= dict.fromkeys(together, oldest)
    return roots


def parted(component: Component, merge: Merge) -> list[Component]:
    """What the component would be without one of the merges in force: its parts, the oldest first.

    Raises SenderError when that merge is not in force here.
    """
    roots = divide(component, merge.id)
    found: list[Component] = []
    for root in sorted(set(roots.values()), key=lambda one: (component.profiles[one], one)):
        profiles = {id: at for id, at in component.profiles.items() if roots[id] == root}
        links = tuple(link for link in component.links if link.profile_id in profiles)
        merges = tuple(one for one in component.merges if one.left_id in profiles or one.right_id in profiles)
        removed = tuple(link for link in component.removed if link.profile_id in profiles)
        found.append(Component(root, component.collection, profiles, links, merges, removed))
    return found
