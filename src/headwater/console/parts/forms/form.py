"""A form for the settings of a definition: one input for each option, with its sentence, and what is wrong beside it.

form = SettingsForm(metadata.options, destination.settings)
...
wanted = form.changes()         # None when something is wrong; the form shows what
try:
    await person.ask(update_destination, UpdateDestination(..., settings=wanted))
except SenderError as error:
    form.refuse(error)
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import msgspec
from nicegui import ui
from nicegui.elements.mixins.validation_element import ValidationElement

from headwater.console.parts.forms.rows import Rows
from headwater.console.parts.forms.values import REMOVE, changes, kind_of
from headwater.console.parts.pieces import described, html
from headwater.manage.answers import Option
from headwater.manage.problems import explain
from headwater.spec.payload.showing import is_needed, is_shown


class SettingsForm:
    """The inputs of some options. `before` are the settings as they stand, with their secrets masked.

    An option is shown as the values of the others ask for it; what is hidden keeps its value.
    """

    def __init__(self, options: Sequence[Option], before: Mapping[str, Any] | None = None) -> None:
        self._options = options
        self._before: Mapping[str, Any] = before or {}
        self._inputs: dict[str, _Input] = {}
        self._places: dict[str, ui.element] = {}
        with ui.element("div").classes("form settings"):
            for option in options:
                with ui.element("div") as self._places[option.name]:
                    self._inputs[option.name] = _build(option, self._before.get(option.name))
            self._alert = ui.label().classes("notice error").props("role=alert")
            self._alert.set_visibility(False)
        if any(option.depends_on for option in options):
            for one in self._inputs.values():
                one.follow(self._show_some)
            self._show_some()

    def changes(self) -> dict[str, Any] | None:
        """What to ask for so that the settings become what the form shows; None when something is wrong with it."""
        given = {name: one.given() for name, one in self._inputs.items()}
        wanted, wrong = changes([self._as_asked(option, given) for option in self._options], given, self._before)
        wrong = {name: why for name, why in wrong.items() if self._places[name].visible}
        self._show(wrong)
        return None if wrong else wanted

    def refuse(self, error: Exception) -> None:
        """Show what an operation refused: beside the settings that it names, and the rest below the form."""
        _, problems, _ = explain(error)
        wrong: dict[str, str] = {}
        others: list[str] = []
        for problem in problems:
            key = (problem.field or "").removeprefix("settings.").split(".")[0].split("[")[0]
            if key in self._inputs:
                text = problem.message.removeprefix(f'"{problem.field}" ')
                wrong[key] = text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")
            else:
                others.append(problem.message)
        self._show(wrong, " ".join(others))

    def _as_asked(self, option: Option, given: Mapping[str, Any]) -> Option:
        """The option, required as long as it is to be given now."""
        needed = option.required or is_needed(option.required_when, given)
        return msgspec.structs.replace(option, required=needed and self._places[option.name].visible)

    def _show_some(self) -> None:
        given = {name: one.given() for name, one in self._inputs.items()}
        for option in self._options:
            self._places[option.name].set_visibility(is_shown(option.depends_on, given))

    def _show(self, wrong: Mapping[str, str], alert: str = "") -> None:
        for name, one in self._inputs.items():
            one.show(wrong.get(name, ""))
        self._alert.set_text(alert)
        self._alert.set_visibility(bool(alert))


class _Input:
    """One element with a value."""

    def __init__(self, element: ValidationElement[Any]) -> None:
        self._element = element

    def given(self) -> Any:
        return self._element.value

    def follow(self, told: Callable[[], None]) -> None:
        """Tell of each change."""
        self._element.on_value_change(told)

    def show(self, problem: str) -> None:
        self._element.error = problem or None


class _Switch(_Input):
    """A switch cannot be wrong."""

    def __init__(self, element: ui.switch) -> None:
        self._switch = element

    def given(self) -> Any:
        return self._switch.value

    def follow(self, told: Callable[[], None]) -> None:
        self._switch.on_value_change(told)

    def show(self, problem: str) -> None:
        del problem


class _Secret(_Input):
    """A password; one that is set stays unless another is typed or it is removed."""

    def __init__(self, element: ui.input, option: Option, known: bool) -> None:
        super().__init__(element)
        self._removed: ui.checkbox | None = None
        if known and not option.required:
            self._removed = ui.checkbox(f"Remove {option.label or option.name}").props("dense").classes("below")

    def given(self) -> Any:
        removed = self._removed is not None and self._removed.value
        return REMOVE if removed and not self._element.value else self._element.value


class _Table(_Input):
    """A map, one line for each name."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    def given(self) -> Any:
        return self._rows.given()

    def follow(self, told: Callable[[], None]) -> None:
        """Nothing depends on a map."""
        del told

    def show(self, problem: str) -> None:
        self._rows.show(problem)


def _build(option: Option, value: Any) -> _Input:
    kind = kind_of(option, value)
    shown = option.default_value if value is None else value
    match kind:
        case "boolean":
            return _Switch(_switch(option, shown))
        case "map" | "secrets":
            held = cast("dict[str, str]", shown) if isinstance(shown, dict) else {}
            return _Table(Rows(_label(option), option.description, held, secret=kind == "secrets"))
        case "password":
            return _password(option, known=bool(value))
        case "number":
            element: ValidationElement[Any] = ui.number(_label(option), value=shown)
        case "select":
            element = ui.select(_choices(option), label=_label(option), value=_choice(option, shown))
            element.props("" if option.required else "clearable")
        case "list" if option.choices:
            known = [item for item in cast("list[str]", shown or []) if item in option.choices]
            element = ui.select(_choices(option), label=_label(option), value=known, multiple=True)
            element.props("use-chips")
        case "list":
            element = _area(f"{_label(option)}, one a line", "\n".join(cast("list[str]", shown or [])))
        case "json":
            element = _area(f"{_label(option)}, as JSON", "" if shown is None else json.dumps(shown, indent=2))
        case "text":
            element = _area(_label(option), str(shown or ""))
        case _:
            element = ui.input(_label(option), value="" if shown is None else str(shown)).props("autocomplete=off")
    return _Input(_dress(element, option.description))


def _label(option: Option) -> str:
    return f"{option.label or option.name}{' *' if option.required or option.required_when else ''}"


def _choices(option: Option) -> dict[str, str]:
    return dict(zip(option.choices, option.choice_labels or option.choices, strict=True))


def _choice(option: Option, value: Any) -> str | None:
    return value if value in option.choices else None


def _area(label: str, value: str) -> ui.textarea:
    return ui.textarea(label, value=value).props("autogrow").classes("mono")


def _switch(option: Option, value: Any) -> ui.switch:
    with ui.element("div"):
        element = ui.switch(_label(option), value=bool(value)).props("dense")
        if option.description:
            html(described(option.description)).classes("below soft")
    return element


def _password(option: Option, *, known: bool) -> _Input:
    with ui.element("div"):
        element = ui.input(_label(option), password=True).props("autocomplete=new-password")
        if known:
            element.props("stack-label")
            element.props["placeholder"] = "•••• is set; type to replace it"
        _dress(element, option.description)
        return _Secret(element, option, known)


def _dress(element: ValidationElement[Any], description: str) -> ValidationElement[Any]:
    element.props("outlined dense hide-bottom-space")
    if description:
        with element.props("bottom-slots").add_slot("hint"):
            html(described(description))
    return element
