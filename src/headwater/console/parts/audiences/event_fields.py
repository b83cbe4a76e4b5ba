"""The fields of a line about events: which, how often, when, and with which properties."""

from __future__ import annotations

from typing import Literal, cast

from nicegui import ui

from headwater.console.parts.audiences.fields import LengthField, TestFields, Touched, named, word
from headwater.console.parts.audiences.suggestions import EVENTS, Suggestions
from headwater.manage.operations.query_forms import EventLine, FormLength, FormTest

_WHEN = {"ever": "at any time", "within": "within the last"}
_OFTEN = {"at_least": "at least", "exactly": "exactly", "at_most": "at most", "never": "not once"}


class EventFields:
    """The name of an event and its comparisons; `when` and `how often` stand where their makers place them."""

    def __init__(self, event: str, suggestions: Suggestions, touched: Touched) -> None:
        self._suggestions = suggestions
        self._touched = touched
        self._tests: list[TestFields] = []
        self._event = ui.input(value=event, placeholder="name of the event", on_change=self._renamed)
        self._event.props("outlined dense hide-bottom-space debounce=200 maxlength=1000 autocomplete=off")
        self._event.props["list"] = EVENTS
        self._event.classes("event")
        named(self._event, "Event")

    def place_when(self, before: FormLength | None) -> None:
        """Place the fields that say how long ago it may have been."""
        self._when = ui.select(dict(_WHEN), value="within" if before else "ever", on_change=self._fit)
        self._when.props("outlined dense options-dense hide-bottom-space").classes("when")
        named(self._when, "When")
        self._length = LengthField(before, self._touched, "Within")
        self._length.show(visible=before is not None)

    def place_tests(self, before: tuple[FormTest, ...]) -> None:
        """Place the comparisons, and the button that adds one."""
        button = ui.button("where", icon="add", on_click=self._add_empty).props("flat dense no-caps")
        button.classes("add-test")
        named(button, "Add a comparison of a property")
        self._place = ui.element("div").classes("tests")
        for one in before:
            self._add(one)

    def event(self) -> str:
        """The name, or nothing."""
        return (self._event.value or "").strip()

    def within(self) -> FormLength | None:
        """How long ago it may have been; None for whenever."""
        return self._length.given() if self._when.value == "within" else None

    def complete(self) -> bool:
        """Is nothing missing?"""
        timed = self._when.value != "within" or self._length.given() is not None
        return bool(self.event()) and timed and all(test.given() is not None for test in self._tests)

    def where(self) -> tuple[FormTest, ...]:
        """The comparisons that are filled in."""
        return tuple(test for one in self._tests if (test := one.given()) is not None)

    def _add_empty(self) -> None:
        self._add(FormTest(name=""))
        self._touched()

    def _add(self, before: FormTest) -> None:
        with self._place:
            test = TestFields(before, self._suggestions, self._touched, self._drop)
        self._tests.append(test)
        test.suggest(self.event())

    def _drop(self, test: TestFields) -> None:
        self._tests.remove(test)
        self._place.remove(test.element)
        self._touched()

    def _renamed(self) -> None:
        for test in self._tests:
            test.suggest(self.event())
        self._touched()

    def _fit(self) -> None:
        self._length.show(visible=self._when.value == "within")
        self._touched()


class EventLineFields:
    """A line about how often something happened."""

    def __init__(self, before: EventLine, suggestions: Suggestions, touched: Touched) -> None:
        self._touched = touched
        never = (before.times, before.count) == ("exactly", 0)
        word("did")
        self._of = EventFields(before.event, suggestions, touched)
        self._often = ui.select(dict(_OFTEN), value="never" if never else before.times, on_change=self._fit)
        self._often.props("outlined dense options-dense hide-bottom-space").classes("often")
        named(self._often, "How often")
        self._count = ui.number(value=1 if never else before.count, min=0, max=1_000_000, on_change=touched)
        self._count.props("outlined dense hide-bottom-space debounce=200").classes("amount")
        named(self._count, "Times")
        self._times = ui.label("times").classes("word")
        self._show_count(visible=not never)
        ui.element("div").classes("break")
        self._of.place_when(before.within)
        self._of.place_tests(before.where)

    def given(self) -> EventLine | None:
        """The line; None while something is missing."""
        never = self._often.value == "never"
        count = 0 if never else self._count.value
        if count is None or count < 0 or count != int(count) or not self._of.complete():
            return None
        times = cast("Literal['at_least', 'exactly', 'at_most']", "exactly" if never else self._often.value)
        return EventLine(
            event=self._of.event(), times=times, count=int(count), within=self._of.within(), where=self._of.where()
        )

    def _fit(self) -> None:
        self._show_count(visible=self._often.value != "never")
        self._touched()

    def _show_count(self, *, visible: bool) -> None:
        self._count.set_visibility(visible)
        self._times.set_visibility(visible)
