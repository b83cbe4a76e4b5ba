"""How a profile came to be: the graph to look at and click on, and the same as tables."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from nicegui import ui
from nicegui.events import GenericEventArguments

from headwater.console.parts.charts import chart
from headwater.console.parts.figures import count, moment_html
from headwater.console.parts.patched import Patched, press
from headwater.console.parts.pieces import Html, chip, html, safe, table_html
from headwater.console.parts.profiles.causes import Around, cause_html, link_rule, merge_rule
from headwater.console.parts.profiles.graph import Drawing, Edge, Node, draw
from headwater.console.parts.profiles.rows import identifier_html
from headwater.manage.operations.profiles import GetProfileAnswer
from headwater.manage.people import IdentifierShape, MergeShape

_LISTED = 100
_HINT = Html('<p class="soft">Click a line or a dot to see which event made it, when, and by which rule.</p>')

Pressed = Callable[[str, str], Awaitable[None]]
"""What a button does: `part` or `allow` and a merge's id, or `delete` and an identifier."""


def identity_card(profile: GetProfileAnswer, around: Around, pressed: Pressed, *, may_part: bool) -> None:
    """The picture, what was clicked on in it, and the tables. `pressed` gets `part` or `allow` and a merge's id."""
    drawing = draw(profile)
    known = {one.id for one in profile.merges} | {one.identifier for one in profile.identifiers}

    async def act(verb: str, of: str) -> None:
        if of in known:
            await pressed(verb, of)

    with ui.element("section").classes("card"):
        html("<h2>Identity</h2>")
        with ui.element("div").classes("graph-and-words"):
            with ui.element("div").classes("graph-side"):
                shown = chart(drawing.options, height=drawing.height, label=_said(profile))
                html(_left_out(drawing.left_out))
            words = Patched(_HINT).classes("graph-words").on_press(act)

        def clicked(event: GenericEventArguments) -> None:
            words.show(_clicked(event.args, drawing, around, may_part=may_part))

        shown.on("componentClick", clicked, ["dataType", "dataIndex"])
        Patched(_tables(profile, around, may_part=may_part)).classes("causes").on_press(act)


def _clicked(where: object, drawing: Drawing, around: Around, *, may_part: bool) -> Html:
    """What stands beside the picture once something in it was clicked on. The browser says which."""
    match where:
        case {"dataType": "edge", "dataIndex": int(at)} if 0 <= at < len(drawing.edges):
            chosen: Edge | Node = drawing.edges[at]
        case {"dataType": "node", "dataIndex": int(at)} if 0 <= at < len(drawing.nodes):
            chosen = drawing.nodes[at]
        case _:
            return _HINT
    match chosen:
        case MergeShape() as merge:
            return _merge(merge, around, may_part=may_part)
        case IdentifierShape() as link:
            return _link(link, around)
        case id:
            return Html(
                f"<h3>Profile</h3><p><code>{safe(id)}</code></p>"
                '<p class="soft">An id by which this profile is known. Each identifier stays with the id that it was '
                "first given to, so that a merge can be undone.</p>"
            )


def _link(link: IdentifierShape, around: Around) -> Html:
    return Html(
        f"<h3>Identifier</h3><p>{identifier_html(link.identifier, 500)}</p>"
        f"<p>{cause_html(link.cause, around)}</p><p>{link_rule(link, around)}</p>"
    )


def _merge(merge: MergeShape, around: Around, *, may_part: bool) -> Html:
    button = press("Un-merge…", "part", merge.id) if may_part and merge.undone_at is None else ""
    return Html(
        f"<h3>Merge</h3><p>{cause_html(merge.cause, around)}</p><p>{merge_rule(merge, around)}</p>"
        f'<p class="soft"><code>{safe(merge.merged_id)}</code> went into <code>{safe(merge.survivor_id)}</code>, '
        f"the older of the two.</p>{button}"
    )


def _tables(profile: GetProfileAnswer, around: Around, *, may_part: bool) -> Html:
    several = len(profile.profiles) > 1
    heads = ("Identifier", *(("Given to",) if several else ()), "By the event", "Because", "")
    rows = [
        (
            identifier_html(one.identifier),
            *((_short_id(one.profile_id),) if several else ()),
            cause_html(one.cause, around),
            link_rule(one, around),
            _removal(one, around, may_delete=may_part and _is_deletable(one, profile)),
        )
        for one in [*profile.identifiers[:_LISTED], *profile.removed[:_LISTED]]
    ]
    more = len(profile.identifiers) + len(profile.removed) - len(rows)
    rest = f'<p class="soft">{count(more)} younger identifiers are left out; the API lists all.</p>' if more else ""
    table = table_html(heads, rows, right=(len(heads) - 1,), label="Identifiers")
    links = f"<h3>Identifiers</h3>{table}{rest}"
    return Html(links + _merges(profile.merges, around, may_part=may_part))


def _merges(merges: Sequence[MergeShape], around: Around, *, may_part: bool) -> str:
    if not merges:
        return '<p class="soft">Nothing was merged into this profile.</p>'
    rows = [
        (
            _state(one, around),
            cause_html(one.cause, around),
            merge_rule(one, around),
            _button(one) if may_part else "",
        )
        for one in list(reversed(merges))[:_LISTED]
    ]
    more = len(merges) - len(rows)
    rest = f'<p class="soft">{count(more)} older merges are left out; the API lists all.</p>' if more else ""
    table = table_html(("State", "By the event", "Because", ""), rows, right=(3,), label="Merges")
    return f"<h3>Merges</h3>{table}{rest}"


def _state(merge: MergeShape, around: Around) -> Html:
    if merge.undone_at is None:
        return chip("in force", "good")
    at = moment_html(merge.undone_at, around.zone)
    apart = ", kept apart" if merge.kept_apart else ""
    return Html(f'{chip(f"undone{apart}", "warn")}<div class="soft">{at}</div>')


def _button(merge: MergeShape) -> Html:
    if merge.undone_at is None:
        return press("Un-merge…", "part", merge.id, about=f"Un-merge {merge.left} and {merge.right}")
    if merge.kept_apart:
        return press("Allow again", "allow", merge.id, about=f"Allow {merge.left} and {merge.right} to merge again")
    return Html("")


def _is_deletable(one: IdentifierShape, profile: GetProfileAnswer) -> bool:
    """Only a person's, and one user id must be left."""
    others = (each for each in profile.identifiers if each.identifier != one.identifier)
    return profile.collection == "users" and any(each.type == "user_id" for each in others)


def _removal(one: IdentifierShape, around: Around, *, may_delete: bool) -> Html:
    if one.removed_at is not None:
        return Html(f'{chip("deleted", "warn")}<div class="soft">{moment_html(one.removed_at, around.zone)}</div>')
    return press("Delete…", "delete", one.identifier, about=f"Delete {one.identifier}") if may_delete else Html("")


def _short_id(id: str) -> Html:
    return Html(f'<code title="{safe(id)}">…{safe(id[-5:])}</code>')


def _left_out(left_out: tuple[int, int]) -> str:
    profiles, identifiers = left_out
    parts = [f"{count(profiles)} profiles"] if profiles > 0 else []
    parts += [f"{count(identifiers)} identifiers"] if identifiers > 0 else []
    return f'<p class="soft">Left out of the picture: {" and ".join(parts)}.</p>' if parts else ""


def _said(profile: GetProfileAnswer) -> str:
    return (
        f"Identity graph: {count(len(profile.profiles))} profiles that are one, with "
        f"{count(len(profile.identifiers))} identifiers; the tables say the same"
    )
