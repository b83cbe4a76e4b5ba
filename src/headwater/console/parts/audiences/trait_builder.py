"""The form of a computed trait: which events, and what is made of them."""

from __future__ import annotations

from typing import Literal, cast

from nicegui import ui

from headwater.console.parts.audiences.event_fields import EventFields
from headwater.console.parts.audiences.fields import Touched, named, word
from headwater.console.parts.audiences.suggestions import Suggestions
from headwater.manage.operations.query_forms import TraitForm

Makes = Literal["count", "sum", "avg", "min", "max", "mode", "first", "last", "unique", "unique_count"]
_MAKES: dict[Makes, str] = {
    "count": "The number of events",
    "sum": "The sum of a property",
    "avg": "The average of a property",
    "min": "The smallest number of a property",
    "max": "The greatest number of a property",
    "mode": "The most frequent value",
    "first": "The first value",
    "last": "The last value",
    "unique": "The list of different values",
    "unique_count": "The number of different values",
}
_FIELDS = {"property": "property", "context": "context"}


class TraitBuilder:
    """The form of a computed trait, where it is made."""

    def __init__(self, suggestions: Suggestions, touched: Touched) -> None:
        self._suggestions = suggestions
        self._touched = touched
        self._place = ui.element("div").classes("lines")
        self.show(TraitForm(event=""))

    def show(self, form: TraitForm) -> None:
        """Show a form in the place of what stands here."""
        self._place.clear()
        with self._place, ui.element("div").classes("line-row trait-form"), ui.element("div").classes("fields"):
            self._makes = ui.select(dict(_MAKES), value=form.makes, on_change=self._fit)
            self._makes.props("outlined dense options-dense hide-bottom-space").classes("makes")
            named(self._makes, "What")
            self._field = ui.select(dict(_FIELDS), value=form.field, on_change=self._touched)
            self._field.props("outlined dense options-dense hide-bottom-space").classes("of")
            named(self._field, "Of the event, what is taken")
            self._name = ui.input(value=form.name, placeholder="name", on_change=self._touched)
            self._name.props("outlined dense hide-bottom-space debounce=200 maxlength=1000 autocomplete=off")
            self._name.classes("name")
            named(self._name, "Taken property")
            self._least_words = ui.label("if it occurred").classes("word")
            self._least = ui.number(value=form.least, min=1, max=1_000_000, on_change=self._touched)
            self._least.props("outlined dense hide-bottom-space debounce=200 suffix=times").classes("amount wide")
            named(self._least, "How often at least")
            ui.element("div").classes("break")
            word("of the events")
            self._of = EventFields(form.event, self._suggestions, self._renamed)
            self._of.place_when(form.within)
            self._of.place_tests(form.where)
        self._suggest()
        self._show_fields()

    def given(self) -> TraitForm | None:
        """The form; None while something is missing in it."""
        makes = cast("Makes", self._makes.value)
        name, least = (self._name.value or "").strip(), self._least.value
        if not self._of.complete() or (makes != "count" and not name):
            return None
        if makes == "mode" and (not least or least < 1 or least != int(least)):
            return None
        return TraitForm(
            event=self._of.event(),
            makes=makes,
            name="" if makes == "count" else name,
            field="context" if self._field.value == "context" and makes != "count" else "property",
            least=int(least or 2) if makes == "mode" else 2,
            within=self._of.within(),
            where=self._of.where(),
        )

    def _renamed(self) -> None:
        self._suggest()
        self._touched()

    def _suggest(self) -> None:
        self._name.props["list"] = self._suggestions.list_of(self._of.event())
        self._name.update()

    def _fit(self) -> None:
        self._show_fields()
        self._touched()

    def _show_fields(self) -> None:
        makes = self._makes.value
        for one in (self._field, self._name):
            one.set_visibility(makes != "count")
        for one in (self._least_words, self._least):
            one.set_visibility(makes == "mode")
