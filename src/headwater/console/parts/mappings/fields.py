"""The fields of an action, each with what it gets from an event: one line a field, and its sentence below."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import msgspec
from nicegui import ui

from headwater.console.parts.mappings.choices import Ask, Choices
from headwater.console.parts.mappings.values import (
    HINTS,
    KINDS,
    OBJECT_KINDS,
    PLAIN_KINDS,
    given,
    is_directive,
    shown,
    with_key,
)
from headwater.console.parts.pieces import described, html, safe
from headwater.manage.answers import ActionField
from headwater.spec.payload.showing import is_needed, is_shown

SYNC_MODE = "__segment_internal_sync_mode"
"""The key of a mapping under which it stands how records are synced."""


class FieldsForm:
    """`told` is called after each change. What the form has no field for stays in the mapping as it is.

    With `ask`, the choices that the destination itself knows are offered. Fields are shown as the values of the others,
    and `mode` (how records are synced), ask for it; what is hidden keeps its value. With `plain` fields get values, and
    nothing of events.
    """

    def __init__(
        self,
        fields: Sequence[ActionField],
        mapping: Mapping[str, Any],
        told: Callable[[], None],
        ask: Ask | None = None,
        mode: Callable[[], str | None] = lambda: None,
        *,
        plain: bool = False,
    ) -> None:
        self._rest = dict(mapping)
        self._told = told
        self._mode = mode
        form = _Form(self.changed, ask, PLAIN_KINDS if plain else KINDS)
        self._lines: dict[str, _Line | _Group] = {}
        with ui.element("div").classes("fields"):
            seen = [one for one in fields if not one.hidden]
            for field in sorted(seen, key=lambda one: (not one.required, one.sort_order)):
                value = self._rest.pop(field.field_key, None)
                self._lines[field.field_key] = _line(field, value, form)
        self._show()

    def mapping(self) -> dict[str, Any] | None:
        """The mapping that the form shows; None when something is wrong with it, and the form says what."""
        found = dict(self._rest)
        whole = True
        for key, line in self._lines.items():
            try:
                value = line.given()
            except ValueError:
                whole = False
                continue
            if value is not None:
                found[key] = value
        return found if whole else None

    def changed(self) -> None:
        """Show what is to be shown now, and tell of the change."""
        self._show()
        self._told()

    def _show(self) -> None:
        values, mode = self.as_it_stands(), self._mode()
        if mode is not None:
            values[SYNC_MODE] = mode
        for line in self._lines.values():
            line.show(values, mode)

    def as_it_stands(self) -> dict[str, Any]:
        """The mapping without what is wrong in it."""
        found = {key: line.as_it_stands() for key, line in self._lines.items()}
        return {**self._rest, **{key: value for key, value in found.items() if value is not None}}

    def refuse(self, path: str, why: str) -> bool:
        """Show what an operation said of a field. Returns whether there is a place for it that can be seen."""
        line = self._lines.get(path.split(".")[0].split("[")[0])
        return line is not None and line.refuse(why)


@dataclass(frozen=True, slots=True)
class _Form:
    """What the lines of a form have in common."""

    told: Callable[[], None]
    ask: Ask | None
    kinds: dict[str, str]


def _line(field: ActionField, value: Any, form: _Form) -> _Line | _Group:
    """An object whose keys are known is shown key by key, as long as its value is one."""
    if field.type.lower() == "object" and field.properties and not field.multiple and _is_plain(value):
        return _Group(field, cast("dict[str, Any] | None", value), form)
    return _Line(field, value, form)


def _is_plain(value: Any) -> bool:
    return value is None or (isinstance(value, dict) and not is_directive(cast("Any", value)))


class _Line:
    """One field: what kind of value it gets, and which. `path` is that of the keys down to it.

    A required field asks for a value, unless it is one of an object that is not (`asked`).
    """

    def __init__(self, field: ActionField, value: Any, form: _Form, path: str = "", *, asked: bool = True) -> None:
        self._field = field
        self._type = field.type.lower()
        kind, text = shown(value)
        if kind == "nothing" and field.required and asked:
            kind = "text" if field.dynamic and self._type != "object" else "field"
        self._plain = form.kinds is PLAIN_KINDS
        if self._plain and value is None:
            kind = "nothing" if self._type == "object" else "text"
        choices = {str(one.value): one.label or str(one.value) for one in field.choices or []}
        if self._type == "boolean":
            choices = {"true": "Yes", "false": "No"}
        if choices and kind == "text" and text:
            choices.setdefault(text, text)
        self._choices = choices
        self._told = form.told
        self._before = value
        with ui.element("div").classes("field-line") as self._shown:
            self._name = html("")
            with ui.element("div").classes("field-value"):
                self._kind = ui.select({**form.kinds, "text": "One of these"} if choices else form.kinds, value=kind)
                self._kind.props("outlined dense options-dense")
                self._kind.props["aria-label"] = f"What {field.label} gets"
                with ui.element("div"):
                    self._place = ui.element("div")
                    self._known = self._ask_for_choices(path or field.field_key, form.ask)
            if field.description:
                html(f'<p class="below soft">{described(field.description)}</p>')
        self._input: Any = None
        self._build(text)
        self._kind.on_value_change(lambda _: self._turned())

    def given(self, *, unseen: bool = False) -> Any:
        """The value. Raises ValueError, and says beside the field what is wrong; a field that nobody sees (itself, or
        `unseen` with what it is in) keeps the value that it had.
        """
        try:
            value = self._value()
        except ValueError as error:
            if unseen or not self._shown.visible:
                return self._before
            self.refuse(str(error))
            raise
        self.refuse("")
        return value

    def as_it_stands(self) -> Any:
        """The value, or None when something is wrong with it."""
        try:
            return self._value()
        except ValueError:
            return None

    def _value(self) -> Any:
        text = "" if self._input is None else str(self._input.value or "")
        if self._plain and not text:
            return None
        return given(str(self._kind.value), text, self._type)

    def show(self, values: Mapping[str, Any], mode: str | None) -> None:
        """Be shown, and be marked as needed, as the values at hand ask for it."""
        field = self._field
        self._shown.set_visibility(is_shown(field.depends_on, values, mode=mode, unknown=is_directive))
        self._name.set_content(_label(field, needed=field.required or is_needed(field.required_when, values)))

    def refuse(self, why: str) -> bool:
        """Show what is wrong. Returns whether it can be seen."""
        if self._input is not None:
            self._input.error = why or None
        return self._input is not None and self._shown.visible

    def _ask_for_choices(self, path: str, ask: Ask | None) -> Choices | None:
        """Of an object's own fields, when there are no others to show, the keys are asked for."""
        if ask is None or not self._field.dynamic or self._field.choices:
            return None
        if self._type == "object":
            return Choices(self._field.label, f"{path}.__keys__", ask, self._add_key, lambda: "")
        return Choices(self._field.label, path, ask, self._choose, self._fixed)

    def _fixed(self) -> str:
        """The fixed value as it stands; nothing when there is none."""
        return str(self._input.value or "") if self._input is not None and self._kind.value == "text" else ""

    def _choose(self, value: str) -> None:
        if self._kind.value != "text":
            self._kind.set_value("text")
        self._input.set_value(value)

    def _add_key(self, key: str) -> None:
        if self._kind.value != "json":
            self._kind.set_value("json")
        try:
            self._input.set_value(with_key(str(self._input.value or ""), key))
            self.refuse("")
        except ValueError as error:
            self.refuse(str(error))
        if self._known is not None:
            self._known.follow()

    def _turned(self) -> None:
        self._build("" if self._kind.value != "field" else "$.")
        self._typed()

    def _build(self, text: str) -> None:
        self._place.clear()
        kind = str(self._kind.value)
        if self._known is not None:
            self._known.show(self._type != "object" or kind in ("nothing", "json"))
        with self._place:
            if kind == "nothing":
                self._input = None
                return
            label = "outlined dense hide-bottom-space hide-hint"
            if kind == "text" and self._choices:
                self._input = ui.select(self._choices, value=text or None).props(f"{label} options-dense")
            elif kind == "json":
                self._input = ui.textarea(value=text).props(f"{label} autogrow").classes("mono")
            else:
                self._input = ui.input(value=text).props(label).classes("mono" if kind != "text" else "")
            self._input.props["aria-label"] = self._field.label
            if not self._choices or kind != "text":
                self._input.props["hint"] = HINTS[kind]
            self._input.without_auto_validation()
            self._input.on_value_change(self._typed)

    def _typed(self) -> None:
        if self._known is not None:
            self._known.follow()
        self._told()


class _OtherKeys(_Line):
    """The keys of an object that its action does not name, as JSON."""

    def __init__(self, field: ActionField, value: dict[str, Any], form: _Form) -> None:
        about = (
            f"Keys of your own, which {field.label} takes beside those above." if field.additional_properties else ""
        )
        other = msgspec.structs.replace(
            field,
            label="Other keys",
            field_key=f"{field.field_key}.*",
            description=about,
            required=False,
            required_when={},
            depends_on={},
        )
        super().__init__(other, value or None, replace(form, kinds=OBJECT_KINDS), field.field_key)

    def _value(self) -> Any:
        value = super()._value()
        if value is not None and (not isinstance(value, dict) or is_directive(value)):
            raise ValueError("This is a JSON object, with a value or a directive under each key.")
        return value


class _Group:
    """A field that is an object, with a line for each key that is known, and one for all others if it takes any."""

    def __init__(self, field: ActionField, value: dict[str, Any] | None, form: _Form) -> None:
        rest = dict(value or {})
        self._lines: dict[str, _Line] = {}
        self._others: _OtherKeys | None = None
        self._field = field
        asked = field.required or value is not None
        with ui.element("div").classes("field-line") as self._shown:
            self._name = html("")
            if field.description:
                html(f'<p class="below soft">{described(field.description)}</p>')
            with ui.element("div").classes("fields inner"):
                for one in field.properties:
                    path = f"{field.field_key}.{one.field_key}"
                    self._lines[one.field_key] = _Line(one, rest.pop(one.field_key, None), form, path, asked=asked)
                if field.additional_properties or rest:
                    self._others = _OtherKeys(field, rest, form)
            self._said = html("")

    def given(self) -> Any:
        """The object, or None when none of its keys gets anything."""
        self.refuse("")
        unseen = not self._shown.visible
        others = self._others.given(unseen=unseen) if self._others is not None else None
        return _filled(others, {key: line.given(unseen=unseen) for key, line in self._lines.items()})

    def as_it_stands(self) -> Any:
        """The object without what is wrong in it."""
        others = self._others.as_it_stands() if self._others is not None else None
        return _filled(others, {key: line.as_it_stands() for key, line in self._lines.items()})

    def show(self, values: Mapping[str, Any], mode: str | None) -> None:
        """Be shown, with those of its keys that are; their conditions name other keys, or fields beside the object."""
        field = self._field
        self._shown.set_visibility(is_shown(field.depends_on, values, mode=mode, unknown=is_directive))
        self._name.set_content(_label(field, needed=field.required or is_needed(field.required_when, values)))
        within = {**values, **(self.as_it_stands() or {})}
        for line in (*self._lines.values(), *([self._others] if self._others is not None else ())):
            line.show(within, mode)

    def refuse(self, why: str) -> bool:
        """Show what is wrong. Returns whether it can be seen."""
        self._said.set_content(f'<p class="notice error" role="alert">{safe(why)}</p>' if why else "")
        return self._shown.visible


def _filled(others: dict[str, Any] | None, found: dict[str, Any]) -> dict[str, Any] | None:
    """The keys that get something."""
    return {key: value for key, value in {**(others or {}), **found}.items() if value is not None} or None


def _label(field: ActionField, *, needed: bool) -> str:
    mark = ' <span class="needed" title="Needed">*</span>' if needed else ""
    kind = f"{safe(field.type.lower())}{' (a list)' if field.multiple else ''}"
    about = f'<code>{safe(field.field_key)}</code> <span class="soft">{kind}</span>'
    return f'<p class="field-name"><b>{safe(field.label)}</b>{mark} {about}</p>'
