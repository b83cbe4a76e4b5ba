"""Profiles, links, merges and violations as they are shown over the API."""

from __future__ import annotations

from typing import Literal

from headwater.manage.answers import Shape
from headwater.manage.knowing import email_of, name_of
from headwater.profiles.identity.explain import Step
from headwater.profiles.known import State
from headwater.spec.graph import MEANINGS, Cause, Component, Link, Merge, Violation
from headwater.spec.timestamps import format_moment


class CauseShape(Shape, frozen=True, kw_only=True):
    """The event that did it, and the identifier by which it found the profile; empty when it made the profile."""

    message_id: str
    type: str
    name: str
    source_id: str
    at: str
    matched: str


class IdentifierShape(Shape, frozen=True, kw_only=True):
    """An identifier (`type:value`), the profile that it was first given to, and why; `removedAt` if it was removed."""

    identifier: str
    type: str
    value: str
    profile_id: str
    cause: CauseShape
    removed_at: str | None = None


class MergeShape(Shape, frozen=True, kw_only=True):
    """Two profiles that were found to be one, as `left` and `right` met in an event; `undoneAt` if that was undone.

    `keptApart` says that the two sides of an undone merge must not be merged again, until that is lifted.
    """

    id: str
    left: str
    right: str
    survivor_id: str
    merged_id: str
    undone_at: str | None
    cause: CauseShape
    kept_apart: bool = False


class StepShape(Shape, frozen=True, kw_only=True):
    """A step of an explanation, with a sentence for people: a link of an identifier to its profile, or a merge."""

    kind: Literal["link", "merge"]
    text: str
    identifier: IdentifierShape | None = None
    merge: MergeShape | None = None


class ViolationShape(Shape, frozen=True, kw_only=True):
    """An identifier that was left out, or an event that was kept out of the space, and what for."""

    id: str
    kind: str
    meaning: str
    identifier: str
    type: str
    profile_id: str
    cause: CauseShape


class ProfileSummary(Shape, frozen=True, kw_only=True):
    """A profile: its canonical id, some of its identifiers, and how many merges hold it together.

    `name` and `email` are of its traits, `events` and `lastSeenAt` of its events, as far as these are folded.
    """

    id: str
    collection: str
    created_at: str
    identifiers: list[str]
    identifiers_total: int
    merges: int
    name: str = ""
    email: str = ""
    events: int = 0
    last_seen_at: str | None = None


def show_cause(cause: Cause) -> CauseShape:
    return CauseShape(
        message_id=cause.message_id,
        type=cause.event_type,
        name=cause.event_name,
        source_id=cause.source_id,
        at=format_moment(cause.at),
        matched=cause.matched,
    )


def show_link(link: Link) -> IdentifierShape:
    type, _, value = link.identifier.partition(":")
    return IdentifierShape(
        identifier=link.identifier,
        type=type,
        value=value,
        profile_id=link.profile_id,
        cause=show_cause(link.cause),
        removed_at=None if link.removed_at is None else format_moment(link.removed_at),
    )


def show_merge(merge: Merge, *, kept_apart: bool = False) -> MergeShape:
    return MergeShape(
        id=merge.id,
        left=merge.left,
        right=merge.right,
        survivor_id=merge.survivor_id,
        merged_id=merge.merged_id,
        undone_at=None if merge.undone_at is None else format_moment(merge.undone_at),
        cause=show_cause(merge.cause),
        kept_apart=kept_apart,
    )


def show_step(step: Step) -> StepShape:
    cause = step.cause
    event = f"{cause.event_type} {cause.event_name}".strip()
    by = f"by the event {event} of {format_moment(cause.at)} ({cause.message_id})"
    if isinstance(step, Merge):
        text = f"{step.merged_id} was merged into {step.survivor_id} {by}, which named {step.left} and {step.right}."
        return StepShape(kind="merge", text=text, merge=show_merge(step))
    how = f"which named it together with {cause.matched}" if cause.matched else "which made the profile"
    text = f"{step.identifier} was given to {step.profile_id} {by}, {how}."
    if step.removed_at is not None:
        text += f" It was removed at {format_moment(step.removed_at)}."
    return StepShape(kind="link", text=text, identifier=show_link(step))


def show_violation(violation: Violation) -> ViolationShape:
    return ViolationShape(
        id=violation.id,
        kind=violation.kind,
        meaning=MEANINGS[violation.kind],
        identifier=violation.identifier,
        type=violation.type,
        profile_id=violation.profile_id,
        cause=show_cause(violation.cause),
    )


def summarise(component: Component, state: State | None = None, most: int = 20) -> ProfileSummary:
    """A profile in a few lines; of its identifiers the oldest are named."""
    return ProfileSummary(
        id=component.canonical_id,
        collection=component.collection,
        created_at=format_moment(component.profiles[component.canonical_id]),
        identifiers=[link.identifier for link in component.links[:most]],
        identifiers_total=len(component.links),
        merges=len(component.profiles) - 1,
        name=name_of(state),
        email=email_of(state),
        events=0 if state is None else state.events,
        last_seen_at=None if state is None else format_moment(state.last.at),
    )
