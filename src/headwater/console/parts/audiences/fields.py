"""The fields of a form's lines. Each gives what it shows, or None while something is missing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, cast

from nicegui import ui

from headwater.console.parts.audiences.comparisons import COMPARISONS, HINTS, LABELS
from headwater.console.parts.audiences.suggestions import TRAITS, Suggestions
from headwater.console.parts.audiences.values import Value, read_value, read_values, write_values
from headwater.console.parts.pieces import html
from headwater.manage.operations.query_forms import FormLength, FormTest, TraitLine

Unit = Literal["hour", "day"]
_UNITS: dict[Unit, str] = {"day": "days", "hour": "hours"}
_FIELDS = {"property": "property", "context": "context"}
Touched = Callable[[], object]


def named(field: ui.element, label: str) -> None:
    """Name a field for those who cannot see it."""
    field.props["aria-label"] = label


def word(text: str) -> None:
    """A word between two fields."""
    html(f'<span class="word">{text}</span>')


def small_button(icon: str, label: str, work: Callable[[], object]) -> ui.button:
    """A round button without words."""
    button = ui.button(icon=icon, on_click=work, color=None).props("flat dense round size=sm")
    named(button, label)
    return button


class LengthField:
    """A number of days or hours."""

    def __init__(self, before: FormLength | None, touched: Touched, label: str) -> None:
        self._amount = ui.number(value=before.amount if before else 7, min=1, max=87_600, on_change=touched)
        self._amount.props("outlined dense hide-bottom-space debounce=200").classes("amount")
        named(self._amount, label)
        self._unit = ui.select(dict(_UNITS), value=before.unit if before else "day", on_change=touched)
        self._unit.props("outlined dense options-dense hide-bottom-space").classes("unit")
        named(self._unit, f"{label}, unit")

    def show(self, *, visible: bool) -> None:
        """Show the fields, or hide them."""
        self._amount.set_visibility(visible)
        self._unit.set_visibility(visible)

    def given(self) -> FormLength | None:
        """The length; None while there is none."""
        amount = self._amount.value
        if not amount or amount < 1 or amount != int(amount):
            return None
        return FormLength(amount=int(amount), unit=cast("Unit", self._unit.value))


class ComparisonFields:
    """A comparator and what stands beside it."""

    def __init__(self, before: FormTest | TraitLine, touched: Touched) -> None:
        self._touched = touched
        self._by = ui.select(dict(LABELS), value=before.by if before.by in LABELS else "equals")
        self._by.props("outlined dense options-dense hide-bottom-space").classes("by")
        named(self._by, "Comparison")
        self._value = ui.input(value=write_values(before.values), on_change=touched)
        self._value.props("outlined dense hide-bottom-space debounce=200 maxlength=2000 autocomplete=off")
        self._value.classes("value")
        named(self._value, "Value")
        self._length = LengthField(before.length, touched, "How long")
        self._by.on_value_change(self._changed)
        self._fit()

    def given(self) -> tuple[str, tuple[Value, ...], FormLength | None] | None:
        """The comparator with its values or length; None while one is missing."""
        by = str(self._by.value)
        text = self._value.value or ""
        match COMPARISONS[by].takes:
            case "nothing":
                return by, (), None
            case "duration":
                length = self._length.given()
                return (by, (), length) if length else None
            case "values":
                values = read_values(text)
                return (by, values, None) if values else None
            case "moment":
                return (by, (text.strip(),), None) if text.strip() else None
            case _:
                return (by, (read_value(text),), None) if text.strip() else None

    def _changed(self) -> None:
        self._fit()
        self._touched()

    def _fit(self) -> None:
        takes = COMPARISONS[str(self._by.value)].takes
        self._value.set_visibility(takes not in ("nothing", "duration"))
        self._value.props["placeholder"] = HINTS[takes]
        self._value.update()
        self._length.show(visible=takes == "duration")


class TestFields:
    """One comparison of a property or of a field of the context."""

    def __init__(
        self, before: FormTest, suggestions: Suggestions, touched: Touched, drop: Callable[[TestFields], None]
    ) -> None:
        with ui.element("div").classes("fields test") as self.element:
            word("where")
            self._of = ui.select(dict(_FIELDS), value=before.of, on_change=touched)
            self._of.props("outlined dense options-dense hide-bottom-space").classes("of")
            named(self._of, "Of the event")
            self._name = ui.input(value=before.name, placeholder="name", on_change=touched)
            self._name.props("outlined dense hide-bottom-space debounce=200 maxlength=1000 autocomplete=off")
            self._name.classes("name")
            named(self._name, "Property")
            self._suggestions = suggestions
            self._compared = ComparisonFields(before, touched)
            small_button("close", "Remove this comparison", lambda: drop(self))

    def suggest(self, event: str) -> None:
        """Suggest what was seen in events of a name."""
        self._name.props["list"] = self._suggestions.list_of(event)
        self._name.update()

    def given(self) -> FormTest | None:
        """The comparison; None while something is missing."""
        name, compared = (self._name.value or "").strip(), self._compared.given()
        if not name or compared is None:
            return None
        by, values, length = compared
        of: Literal["property", "context"] = "context" if self._of.value == "context" else "property"
        return FormTest(name=name, of=of, by=by, values=values, length=length)


class TraitFields:
    """A line about a trait."""

    def __init__(self, before: TraitLine, touched: Touched) -> None:
        word("trait")
        self._name = ui.input(value=before.name, placeholder="name", on_change=touched)
        self._name.props("outlined dense hide-bottom-space debounce=200 maxlength=1000 autocomplete=off")
        self._name.props["list"] = TRAITS
        self._name.classes("name")
        named(self._name, "Trait")
        self._compared = ComparisonFields(before, touched)

    def given(self) -> TraitLine | None:
        """The line; None while something is missing."""
        name, compared = (self._name.value or "").strip(), self._compared.given()
        if not name or compared is None:
            return None
        by, values, length = compared
        return TraitLine(name=name, by=by, values=values, length=length)
