"""The fields of an action, each with what it gets from an event: one line a field, and its sentence below."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from nicegui import ui

from headwater.console.parts.mappings.values import HINTS, KINDS, given, shown
from headwater.console.parts.pieces import html, safe
from headwater.manage.answers import ActionField

_CHOICE = {**KINDS, "text": "One of these"}


class FieldsForm:
    """`told` is called after each change. What the form has no field for stays in the mapping as it is."""

    def __init__(self, fields: Sequence[ActionField], mapping: Mapping[str, Any], told: Callable[[], None]) -> None:
        self._rest = dict(mapping)
        self._lines: dict[str, _Line | _Group] = {}
        with ui.element("div").classes("fields"):
            seen = [one for one in fields if not one.hidden]
            for field in sorted(seen, key=lambda one: (not one.required, one.sort_order)):
                value = self._rest.pop(field.field_key, None)
                self._lines[field.field_key] = _line(field, value, told)

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

    def refuse(self, path: str, why: str) -> bool:
        """Show what an operation said of a field. Returns whether there is such a field."""
        line = self._lines.get(path.split(".")[0].split("[")[0])
        if line is None:
            return False
        line.refuse(why)
        return True


def _line(field: ActionField, value: Any, told: Callable[[], None]) -> _Line | _Group:
    """An object whose keys are known is shown key by key, as long as its value is one."""
    if field.type.lower() == "object" and field.properties and not field.multiple and _is_plain(value):
        return _Group(field, cast("dict[str, Any]", value or {}), told)
    return _Line(field, value, told)


def _is_plain(value: Any) -> bool:
    if value is None:
        return True
    return isinstance(value, dict) and not any(str(key).startswith("@") for key in cast("dict[Any, Any]", value))


class _Line:
    """One field: what kind of value it gets, and which."""

    def __init__(self, field: ActionField, value: Any, told: Callable[[], None]) -> None:
        self._field = field
        kind, text = shown(value)
        if kind == "nothing" and field.required:
            kind = "field"
        choices = {str(one.value): one.label or str(one.value) for one in field.choices or []}
        if field.type.lower() == "boolean":
            choices = {"true": "Yes", "false": "No"}
        self._choices = choices if kind != "text" or not text or text in choices else {**choices, text: text}
        self._told = told
        with ui.element("div").classes("field-line"):
            html(_label(field))
            with ui.element("div").classes("field-value"):
                self._kind = ui.select(_CHOICE if choices else KINDS, value=kind)
                self._kind.props("outlined dense options-dense")
                self._kind.props["aria-label"] = f"What {field.label} gets"
                self._place = ui.element("div")
            if field.description:
                html(f'<p class="below soft">{safe(field.description)}</p>')
        self._input: Any = None
        self._build(text)
        self._kind.on_value_change(lambda _: self._turned())

    def given(self) -> Any:
        """The value. Raises ValueError, and says beside the field what is wrong."""
        text = "" if self._input is None else str(self._input.value or "")
        try:
            value = given(str(self._kind.value), text, self._field.type.lower())
        except ValueError as error:
            self.refuse(str(error))
            raise
        self.refuse("")
        return value

    def refuse(self, why: str) -> None:
        if self._input is not None:
            self._input.error = why or None

    def _turned(self) -> None:
        self._build("" if self._kind.value != "field" else "$.")
        self._told()

    def _build(self, text: str) -> None:
        self._place.clear()
        kind = str(self._kind.value)
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
            self._input.on_value_change(self._told)


class _Group:
    """A field that is an object, with a line for each key that is known. Other keys stay as they are."""

    def __init__(self, field: ActionField, value: dict[str, Any], told: Callable[[], None]) -> None:
        self._rest = dict(value)
        self._lines: dict[str, _Line] = {}
        self._field = field
        with ui.element("div").classes("field-line"):
            html(_label(field))
            if field.description:
                html(f'<p class="below soft">{safe(field.description)}</p>')
            with ui.element("div").classes("fields inner"):
                for one in field.properties:
                    self._lines[one.field_key] = _Line(one, self._rest.pop(one.field_key, None), told)
            self._said = html("")

    def given(self) -> Any:
        """The object, or None when none of its keys gets anything."""
        found = {**self._rest, **{key: line.given() for key, line in self._lines.items()}}
        return {key: value for key, value in found.items() if value is not None} or None

    def refuse(self, why: str) -> None:
        self._said.set_content(f'<p class="notice error" role="alert">{safe(why)}</p>' if why else "")


def _label(field: ActionField) -> str:
    needed = ' <span class="needed" title="Needed">*</span>' if field.required else ""
    kind = f"{safe(field.type.lower())}{' (a list)' if field.multiple else ''}"
    about = f'<code>{safe(field.field_key)}</code> <span class="soft">{kind}</span>'
    return f'<p class="field-name"><b>{safe(field.label)}</b>{needed} {about}</p>'
