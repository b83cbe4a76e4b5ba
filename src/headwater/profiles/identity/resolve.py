"""The decision: which profile each event belongs to, and what the graph learns from it (profiles-governance 1.6).

Most events name identifiers that all lead to one profile already; they are answered from the view, and change nothing.
For the others the graph is asked once for a slice, and then one event after the other is decided:

- no identifier is known: a new profile; one profile is known: it gets the others; several: they are merged.
- A limit that would be exceeded, or profiles that a person told apart, keep the event's weakest identifier out, until
  what is left is allowed. A limit counts as exceeded by what *adds* to its type: a profile that is beyond a limit
  tightened later (or by an alias call) still takes events and identifiers of other types.
- A new identifier is given to the profile of the event's strongest known one, as that was first given (not to the
  survivor of merges), so that an un-merge takes it along.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from headwater.profiles.identity.extract import Extract, Found, Rules, but_not, compile_extract, compile_rules
from headwater.profiles.identity.filters import compile_filters
from headwater.profiles.identity.view import View
from headwater.spec.event import Event
from headwater.spec.graph import (
    MAX_IDENTIFIERS,
    MAX_MERGES,
    Cause,
    Changes,
    GroupLink,
    Known,
    Link,
    Merge,
    NewProfile,
    ParentLink,
    Violation,
    ViolationKind,
    make_id,
)
from headwater.spec.naming import short_name
from headwater.spec.space import WINDOW_MS, Collection, Space
from headwater.spec.timestamps import parse_moment

MAX_VIOLATIONS: Final = 100
"""Violations that are told of one chunk; a sender must not be able to fill the store with them."""

_PREFIX: Final[dict[Collection, str]] = {"users": "use_", "accounts": "acc_"}


class Compiled(msgspec.Struct, frozen=True):
    """A space, ready for events."""

    rules: Rules
    extract: Extract


class Resolved(msgspec.Struct, frozen=True):
    """The canonical profile of an event, or an empty string, and the companies that it refers to."""

    profile_id: str = ""
    account_ids: tuple[str, ...] = ()


_NOBODY: Final = Resolved()


def compile_space(space: Space) -> Compiled:
    """Compile a space's rules and filters. Raises SetupError for a blocked pattern that is refused."""
    rules, keeps_out = compile_rules(space), compile_filters(space.filters)
    extract = compile_extract(rules)
    return Compiled(rules, extract if keeps_out is None else but_not(keeps_out, extract))


def resolve(compiled: Compiled, events: Sequence[Event], view: View, changes: Changes) -> list[Resolved]:
    """The profile of each event, in their order; what is new is put into the view and the changes.

    Raises StaleView when the view is behind the graph, and whatever the graph raises; view and changes are then of no
    use any more.
    """
    extract = compiled.extract
    found = [extract(event) for event in events]
    known = [_known(event, each, view) for event, each in zip(events, found, strict=True)]
    unclear = [(event, each) for event, each, answer in zip(events, found, known, strict=True) if answer is None]
    if not unclear:
        return [answer for answer in known if answer is not None]
    _learn(unclear, view)
    answers: list[Resolved] = []
    for event, each in zip(events, found, strict=True):
        answer = _known(event, each, view)
        answers.append(_Decision(compiled.rules, event, view, changes).run(each) if answer is None else answer)
    return answers


def _known(event: Event, found: Found, view: View) -> Resolved | None:
    """The answer for an event whose identifiers all lead to one profile; None for any other."""
    users, get = found.users, view.owners.get
    if found.faults or found.previous or found.parent != "" or not users:
        return _NOBODY if found.ignored else None
    first = get(users[0])
    if not first:
        return None
    for identifier in users[1:]:
        if get(identifier) != first:
            return None
    if not found.accounts:
        return Resolved(first)
    account = get(found.accounts[0])
    if not account or any(get(identifier) != account for identifier in found.accounts[1:]):
        return None
    if event.type == "group" and view.grouped.get(f"{first}>{account}") is None:
        return None
    return Resolved(first, (account,))


def _learn(unclear: Sequence[tuple[Event, Found]], view: View) -> None:
    """Ask the graph for all that these events may need: where identifiers lead, and the profiles there."""
    get = view.owners.get
    unknown = [
        identifier
        for _, found in unclear
        for identifier in (*found.users, *found.accounts, *found.previous, *((found.parent,) if found.parent else ()))
        if get(identifier) is None
    ]
    if unknown:
        view.learn_owners(unknown)
    wanted: set[str] = set()
    for event, found in unclear:
        linking = event.type == "group"
        above = (found.parent,) if found.parent else ()
        for identifiers in ((*found.users, *found.previous), found.accounts, above):
            owners = {get(identifier) for identifier in identifiers}
            if linking or len(owners) > 1:
                wanted |= {owner for owner in owners if owner}
    if wanted:
        view.learn_profiles(sorted(wanted))


class _Decision:
    """One event that is not clear at once."""

    def __init__(self, rules: Rules, event: Event, view: View, changes: Changes) -> None:
        self._rules = rules
        self._event = event
        self._view = view
        self._changes = changes

    def run(self, found: Found) -> Resolved:
        if found.ignored:
            return _NOBODY
        if found.refused is not None:
            self._violate(found.refused)
            return _NOBODY
        users = self._settle_alias(found) if found.previous else list(found.users)
        profile_id = self._settle(users, "users")
        accounts = list(found.accounts)
        account_id = self._settle(accounts, "accounts")
        if self._event.type == "group" and profile_id and account_id:
            self._group(users, profile_id, accounts, account_id)
        if account_id and found.parent != "":
            self._put_under(accounts, account_id, found.parent)
        for kind, identifier in found.faults:
            self._violate(kind, identifier, profile_id=profile_id)
        if not profile_id and not account_id:
            self._violate("no_identifier")
        return Resolved(profile_id, (account_id,) if account_id else ())

    def _settle_alias(self, found: Found) -> list[str]:
        """Link the two ids of an alias call, whatever the limit of user ids; the rest is under all limits (1.9)."""
        get = self._view.owners.get
        previous = next((form for form in found.previous if get(form)), found.previous[0])
        user = next((each for each in found.users if each.startswith("user_id:")), None)
        if user is None or user == previous:
            return list(found.users)
        pair = [user, previous]
        self._settle(pair, "users", unlimited="user_id")
        others = [each for each in found.users if each not in (user, previous)]
        return sorted([*pair, *others], key=self._rules.rank_of)

    def _settle(self, identifiers: list[str], collection: Collection, *, unlimited: str = "") -> str:
        """The canonical profile of identifiers, strongest first; those left out are taken off the list."""
        get = self._view.owners.get
        prefix = _PREFIX[collection]
        identifiers[:] = [each for each in identifiers if (get(each) or prefix).startswith(prefix)]
        while identifiers:
            owners: dict[str, str] = {}
            for identifier in identifiers:
                owner = get(identifier)
                if owner:
                    owners.setdefault(owner, identifier)
            new = [identifier for identifier in identifiers if not get(identifier)]
            if len(owners) == 1 and not new:
                return next(iter(owners))
            profiles = [self._view.profile(owner) for owner in owners]
            trouble = self._trouble(profiles, new, unlimited)
            if trouble is None or len(identifiers) == 1:
                return self._unite(profiles, list(owners.values()), new, collection)
            self._violate(trouble[0], identifiers.pop(), type=trouble[1], profile_id=next(iter(owners), ""))
        return ""

    def _trouble(
        self, profiles: Sequence[Known], new: Sequence[str], unlimited: str
    ) -> tuple[ViolationKind, str] | None:
        """Why these profiles cannot become one and take these identifiers, with the type at fault."""
        if not profiles and len(new) == 1:
            return None
        if any(not one.apart.isdisjoint(other.members) for one in profiles for other in profiles if one is not other):
            return "kept_apart", ""
        counted: Iterable[str] = new if len(profiles) < 2 else (*new, *(key for one in profiles for key in one.links))
        for name in dict.fromkeys(key[: key.index(":")] for key in counted):
            kind = self._rules.type_of(f"{name}:")
            window = WINDOW_MS.get(kind.frequency)
            since = None if window is None else self._event.received_at - window
            own = [_count(profile, name, since) for profile in profiles]
            total = sum(own) + sum(key.startswith(f"{name}:") for key in new)
            if name != unlimited and total > kind.limit and total > max(own, default=0):
                return ("value_limit_exceeded" if window is None else "value_time_limit_exceeded"), name
        return None

    def _unite(
        self, profiles: Sequence[Known], known: Sequence[str], new: Sequence[str], collection: Collection
    ) -> str:
        """Make one profile of all, oldest first, and give it the new identifiers. `known` are its strongest ones."""
        if not profiles:
            return self._create(new, collection)
        profile = profiles[0]
        for other, identifier in zip(profiles[1:], known[1:], strict=True):
            survivor, merged = (profile, other) if profile.age <= other.age else (other, profile)
            if len(survivor.members) > MAX_MERGES:
                self._violate("merge_limit_exceeded", identifier, profile_id=survivor.id)
                continue
            self._merge(survivor, merged, known[0], identifier)
            profile = survivor
        if new:
            self._give(profile, profile.links[known[0]][0], new, matched=known[0])
        return profile.id

    def _create(self, identifiers: Sequence[str], collection: Collection) -> str:
        event = self._event
        id = self._make_id(_PREFIX[collection], identifiers[0], event.message_id)
        profile = Known(id, event.received_at, 0, {}, {id}, set())
        self._view.profiles.put(id, profile)
        self._changes.profiles.append(NewProfile(id, collection, event.received_at))
        self._give(profile, id, identifiers, matched="")
        return id

    def _give(self, profile: Known, first_id: str, identifiers: Sequence[str], *, matched: str) -> None:
        cause = self._cause(matched)
        self._base_on(profile)
        for identifier in identifiers:
            if len(profile.links) >= MAX_IDENTIFIERS:
                self._violate("mapping_limit_exceeded", identifier, profile_id=profile.id)
                continue
            profile.links[identifier] = (first_id, cause.at)
            self._view.owners.put(identifier, profile.id)
            self._changes.links.append(Link(identifier, first_id, cause))
            name = identifier[: identifier.index(":")]
            if name not in self._rules.types:
                self._changes.types[name] = "users" if profile.id.startswith("use_") else "accounts"

    def _merge(self, survivor: Known, merged: Known, left: str, right: str) -> None:
        self._base_on(survivor)
        self._base_on(merged)
        left_id = (survivor.links.get(left) or merged.links[left])[0]
        right_id = (survivor.links.get(right) or merged.links[right])[0]
        merge_id = self._make_id("mrg_", survivor.id, merged.id, self._event.message_id)
        self._changes.merges.append(
            Merge(merge_id, left, right, left_id, right_id, survivor.id, merged.id, self._cause(left))
        )
        for identifier in merged.links:
            self._view.owners.put(identifier, survivor.id)
        survivor.links |= merged.links
        survivor.members |= merged.members
        survivor.apart |= merged.apart
        self._view.profiles.drop(merged.id)

    def _group(self, users: Sequence[str], profile_id: str, accounts: Sequence[str], account_id: str) -> None:
        pair = f"{profile_id}>{account_id}"
        if self._view.grouped.get(pair) is not None:
            return
        person, company = self._view.profile(profile_id).links, self._view.profile(account_id).links
        user, account = next(key for key in users if key in person), next(key for key in accounts if key in company)
        self._changes.groups.append(GroupLink(person[user][0], company[account][0], self._cause(user)))
        self._view.grouped.put(pair, True)

    def _put_under(self, accounts: Sequence[str], account_id: str, parent: str | None) -> None:
        """Put a company below another one, which is made if nobody knows it. Whether it may be there says the graph."""
        above = [parent] if parent else []
        parent_id = self._settle(above, "accounts")
        if parent and not parent_id:
            return
        company = self._view.profile(account_id).links
        child = next(key for key in accounts if key in company)
        first = self._view.profile(parent_id).links[above[0]][0] if parent_id else ""
        event = self._event
        happened = parse_moment(event.body.get("timestamp"))
        at = event.received_at if happened is None else min(happened, event.received_at)
        self._changes.parents.append(ParentLink(company[child][0], first, parent or "", at, self._cause(child)))

    def _make_id(self, prefix: str, *parts: str) -> str:
        """An id of this event's; another one when the same event comes again after the graph was taken apart."""
        space = self._rules.space
        again = (str(space.rewired),) if space.rewired else ()
        return make_id(prefix, self._event.received_at, space.id, *parts, *again)

    def _base_on(self, profile: Known) -> None:
        if profile.version:
            self._changes.based_on.setdefault(profile.id, profile.version)

    def _violate(self, kind: ViolationKind, identifier: str = "", *, type: str = "", profile_id: str = "") -> None:
        if len(self._changes.violations) < MAX_VIOLATIONS:
            cause = self._cause("")
            id = make_id("vio_", cause.at, self._rules.space.id, cause.message_id, kind, identifier)
            type = type or identifier.partition(":")[0]
            self._changes.violations.append(Violation(id, kind, identifier, type, profile_id, cause))

    def _cause(self, matched: str) -> Cause:
        event = self._event
        name = event.body.get("event" if event.type == "track" else "name")
        text = short_name(name) if isinstance(name, str) else ""
        message_id = event.message_id.replace("\0", "")
        return Cause(message_id, event.type, text, event.source_id, event.received_at, matched)


def _count(profile: Known, name: str, since: int | None) -> int:
    """How many identifiers of a type a profile has, or got after an instant."""
    start = f"{name}:"
    return sum(
        identifier.startswith(start) and (since is None or at > since) for identifier, (_, at) in profile.links.items()
    )
