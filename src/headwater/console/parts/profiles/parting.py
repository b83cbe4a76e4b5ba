"""Undoing a merge: first shown in full, then done; and letting the two sides be merged again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from nicegui import ui

from headwater.console.parts.asking import ask_first, outlasting
from headwater.console.parts.figures import count
from headwater.console.parts.pieces import Html, html, safe
from headwater.console.parts.profiles.rows import identifier_html, short, title_of
from headwater.console.person import Person
from headwater.manage.operations.identifiers import DeleteIdentifier, delete_identifier
from headwater.manage.operations.profiles import (
    RemoveMergeBlock,
    SideShape,
    UnmergeProfiles,
    UnmergeProfilesAnswer,
    preview_unmerge,
    remove_merge_block,
    unmerge_profiles,
)

_LISTED = 30


async def ask_to_part(
    person: Person, space_id: str, merge_id: str, done: Callable[[UnmergeProfilesAnswer], Awaitable[None]]
) -> None:
    """Show what undoing a merge would part, and do it if the button is pressed."""
    wanted = UnmergeProfiles(space_id=space_id, merge_id=merge_id)
    told = await person.ask(preview_unmerge, wanted)
    dialog = ui.dialog()

    async def part() -> None:
        dialog.close()
        await done(await person.ask(unmerge_profiles, wanted))

    with dialog, ui.card().classes("form parting"):
        html(_told(told.sides))
        with ui.element("div").classes("row-line").style("justify-content: flex-end"):
            ui.button("Cancel", on_click=dialog.close).props("flat autofocus")
            ui.button("Un-merge", on_click=outlasting(part)).props("color=negative")
    dialog.on("hide", dialog.delete)
    dialog.open()


def ask_to_allow(person: Person, space_id: str, merge_id: str, done: Callable[[], Awaitable[None]]) -> None:
    """Ask whether the two sides of an undone merge may be merged again."""

    async def allow() -> None:
        answer = await person.ask(remove_merge_block, RemoveMergeBlock(space_id=space_id, merge_id=merge_id))
        ui.notify("They may be merged again." if answer.lifted else "They could be merged already.", type="positive")
        await done()

    ask_first(
        "Let these two be merged again?",
        "The next event that names both makes them one. Nothing is merged now.",
        "Allow",
        allow,
    )


def ask_to_delete(
    person: Person, space_id: str, profile_id: str, identifier: str, done: Callable[[], Awaitable[None]]
) -> None:
    """Ask whether to take an identifier away."""

    async def delete() -> None:
        wanted = DeleteIdentifier(space_id=space_id, profile_id=profile_id, identifier=identifier)
        await person.ask(delete_identifier, wanted)
        await done()

    ask_first(
        f"Delete {short(identifier, 80)}?",
        "Events that name it no longer lead to this profile. Merges, traits and events stay as they are.",
        "Delete",
        delete,
    )


def _told(sides: Sequence[SideShape]) -> Html:
    """What becomes of the profile, side by side."""
    shown = "".join(_side(one, kept=at == 0) for at, one in enumerate(sides))
    return Html(
        '<h2 class="question">Un-merge this profile?</h2>'
        f'<p class="soft">It becomes {count(len(sides))} profiles, which are kept apart from then on: an event that '
        "names both loses its weaker identifier. Events stay with the id that they came to.</p>"
        f'<div class="sides">{shown}</div>'
    )


def _side(side: SideShape, *, kept: bool) -> str:
    one = side.profile
    title = title_of(one.name, one.email, side.identifiers, one.id)
    held = "keeps" if kept else "gets"
    others = len(side.profiles) - 1
    ids = f" and {count(others)} more that stay one with it" if others else ""
    events = "1 event" if one.events == 1 else f"{count(one.events)} events"
    return (
        f'<section class="side"><b>{safe(short(title))}</b>'
        f'<small class="soft">{held} the id <code>{safe(one.id)}</code>{ids}</small>'
        f"{_list('Identifiers', [str(identifier_html(each)) for each in side.identifiers])}"
        f"{_list('Traits', [str(safe(short(each))) for each in side.traits])}"
        f"<p>{events}</p></section>"
    )


def _list(title: str, items: Sequence[str]) -> str:
    if not items:
        return f'<p class="soft">{title}: none</p>'
    more = len(items) - _LISTED
    rest = f'<li class="soft">and {count(more)} more</li>' if more > 0 else ""
    return (
        f"<h3>{title} ({count(len(items))})</h3><ul>{''.join(f'<li>{one}</li>' for one in items[:_LISTED])}{rest}</ul>"
    )
