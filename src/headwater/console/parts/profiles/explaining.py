"""Why two identifiers are one person: the path between them, step by step."""

from __future__ import annotations

from collections.abc import Sequence

from nicegui import ui

from headwater.console.parts.figures import count
from headwater.console.parts.patched import Patched, press
from headwater.console.parts.pieces import Html, attempt, html, notice, safe
from headwater.console.parts.profiles.causes import Around, cause_html, link_rule, merge_rule
from headwater.console.parts.profiles.identity import Pressed
from headwater.console.parts.profiles.rows import identifier_html, short
from headwater.console.person import Person
from headwater.manage.operations.profiles import (
    ExplainProfiles,
    ExplainProfilesAnswer,
    GetProfileAnswer,
    explain_profiles,
)
from headwater.manage.people import StepShape

_OFFERED = 200


def explain_card(person: Person, space_id: str, profile: GetProfileAnswer, around: Around, pressed: Pressed) -> None:
    """Two fields and a button. Identifiers of other profiles may be typed, to see that they are not one with this."""
    known = [*profile.identifiers, *profile.removed]
    names = [*dict.fromkeys(one.identifier for one in known[:_OFFERED]), *profile.profiles[:_OFFERED]]
    if len(names) < 2:
        return
    may_part = person.may("profiles:write")

    async def look() -> None:
        wanted = ExplainProfiles(space_id=space_id, a=_typed(first.value), b=_typed(second.value))
        answer = await person.ask(explain_profiles, wanted)
        place.show(_told(answer, wanted, around, may_part=may_part))

    with ui.element("section").classes("card"):
        html("<h2>Why are two one?</h2>")
        with ui.element("div").classes("two-names"):
            first = _field("From", names, names[0])
            second = _field("To", names, names[1])
            ui.button("Explain", on_click=attempt(look)).props("outline")
        if len(profile.identifiers) > _OFFERED:
            notice(f"The oldest {count(_OFFERED)} identifiers are offered; others can be typed, as type:value.")
        place = Patched().on_press(pressed)


def _field(label: str, names: Sequence[str], value: str) -> ui.select:
    options = {one: short(one, 90) for one in names}
    field = ui.select(options, value=value, label=label, with_input=True, new_value_mode="add-unique")
    field.props("outlined dense options-dense hide-selected fill-input input-debounce=0")
    return field


def _typed(value: object) -> str:
    return str(value or "").strip()


def _told(answer: ExplainProfilesAnswer, wanted: ExplainProfiles, around: Around, *, may_part: bool) -> Html:
    names = f"{identifier_html(wanted.a)} and {identifier_html(wanted.b)}"
    if not answer.joined:
        why = (
            "a person told them apart, and an event that names both does not join them."
            if answer.kept_apart
            else "no event has named both, or what joins them."
        )
        return Html(f'<div class="notice" role="status">{names} are two profiles: {why}</div>')
    if not answer.steps:
        return Html(f'<div class="notice" role="status">{names} are the same profile by its ids.</div>')
    merges = sum(1 for step in answer.steps if step.kind == "merge")
    how = f"over {count(merges)} merge{'' if merges == 1 else 's'}" if merges else "without a merge"
    steps = "".join(_step(step, around, may_part=may_part) for step in answer.steps)
    return Html(f'<p role="status">{names} are one, {how}:</p><ol class="trail-steps">{steps}</ol>')


def _step(step: StepShape, around: Around, *, may_part: bool) -> str:
    if step.merge is not None:
        one = step.merge
        button = press("Un-merge…", "part", one.id, about=f"Un-merge {one.left} and {one.right}") if may_part else ""
        title = f"<code>{safe(one.merged_id)}</code> was merged into <code>{safe(one.survivor_id)}</code>"
        body, cause, tone = merge_rule(one, around), one.cause, "tone-warn"
    elif step.identifier is not None:
        link = step.identifier
        button = ""
        title = f"{identifier_html(link.identifier)} was given to <code>{safe(link.profile_id)}</code>"
        body, cause, tone = link_rule(link, around), link.cause, "tone-good"
    else:
        return ""
    return f'<li class="step {tone}"><b>{title}</b><p>{cause_html(cause, around)}</p><p>{body}</p>{button}</li>'
