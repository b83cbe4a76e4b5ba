"""The form of an audience: lines and groups of lines, built up by whoever fills it in."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Literal, cast

from nicegui import ui

from headwater.console.parts.audiences.event_fields import EventLineFields
from headwater.console.parts.audiences.fields import Touched, TraitFields, named, small_button, word
from headwater.console.parts.audiences.suggestions import Suggestions
from headwater.manage.operations.query_forms import (
    AudienceForm,
    AudienceLine,
    EventLine,
    Line,
    LineGroup,
    TraitLine,
)

_JOINS = {"all": "all of", "any": "any of"}
_OTHER = {"all": "any of", "any": "all of"}
_INSIDE = {True: "is in", False: "is not in"}
_MOST = 40


class AudienceBuilder:
    """The form of an audience, where it is made."""

    def __init__(self, suggestions: Suggestions, touched: Touched) -> None:
        self._suggestions = suggestions
        self._touched = touched
        self._parts: list[_Line | _Group] = []
        self._showing = False
        with ui.element("div").classes("fields head-line"):
            word("Everybody who meets")
            self._join = ui.select(dict(_JOINS), value="all", on_change=self._joined)
            self._join.props("outlined dense options-dense hide-bottom-space").classes("join")
            named(self._join, "All or any")
            word("these:")
        self._place = ui.element("div").classes("lines")
        self._place.props('role=list aria-label="Conditions"')
        _adders(self._add, lambda: self._add(LineGroup(lines=(EventLine(event=""), EventLine(event="")))))

    def show(self, form: AudienceForm) -> None:
        """Show a form in the place of what stands here."""
        self._showing = True
        self._place.clear()
        self._parts = []
        self._join.value = form.join
        for part in form.parts:
            self._place_part(part)
        self._showing = False

    def given(self) -> AudienceForm | None:
        """The form; None while something is missing in it."""
        parts = [part.given() for part in self._parts]
        found = tuple(part for part in parts if part is not None)
        join = cast("Literal['all', 'any']", self._join.value)
        return AudienceForm(join=join, parts=found) if found and len(found) == len(parts) else None

    def _joined(self) -> None:
        for part in self._parts:
            if isinstance(part, _Group):
                part.say(_OTHER[str(self._join.value)])
        if not self._showing:
            self._touched()

    def _add(self, part: Line | LineGroup) -> None:
        if len(self._parts) < _MOST:
            self._place_part(part)
            self._touched()

    def _place_part(self, part: Line | LineGroup) -> None:
        with self._place:
            if isinstance(part, LineGroup):
                said = _OTHER[str(self._join.value)]
                self._parts.append(_Group(part, said, self._suggestions, self._touched, drop=self._drop))
            else:
                self._parts.append(_Line(part, self._suggestions, self._touched, self._drop))

    def _drop(self, part: _Line | _Group) -> None:
        self._parts.remove(part)
        self._place.remove(part.element)
        self._touched()


class _Group:
    """Lines that are joined the other way."""

    def __init__(
        self,
        before: LineGroup,
        said: str,
        suggestions: Suggestions,
        touched: Touched,
        *,
        drop: Callable[[_Group], None],
    ) -> None:
        self._suggestions = suggestions
        self._touched = touched
        self._lines: list[_Line] = []
        with ui.element("div").classes("group").props("role=listitem") as self.element:
            with ui.element("div").classes("fields head-line"):
                self._said = ui.label(f"{said} these:").classes("word")
                ui.element("div").classes("grow")
                small_button("close", "Remove this group", lambda: drop(self))
            self._place = ui.element("div").classes("lines").props("role=list")
            for line in before.lines:
                self._place_line(line)
            _adders(self._add)

    def say(self, text: str) -> None:
        """Show how the lines are joined."""
        self._said.set_text(f"{text} these:")

    def given(self) -> LineGroup | None:
        """The group; None while something is missing in it."""
        lines = [line.given() for line in self._lines]
        found = tuple(line for line in lines if line is not None)
        return LineGroup(lines=found) if found and len(found) == len(lines) else None

    def _add(self, line: Line) -> None:
        if len(self._lines) < _MOST:
            self._place_line(line)
            self._touched()

    def _place_line(self, line: Line) -> None:
        with self._place:
            self._lines.append(_Line(line, self._suggestions, self._touched, self._drop_line))

    def _drop_line(self, line: _Line) -> None:
        self._lines.remove(line)
        self._place.remove(line.element)
        self._touched()


class _Line:
    """One condition."""

    def __init__(self, before: Line, suggestions: Suggestions, touched: Touched, drop: Callable[[_Line], None]) -> None:
        with ui.element("div").classes("line-row").props("role=listitem") as self.element:
            with ui.element("div").classes("fields"):
                match before:
                    case EventLine():
                        fields = EventLineFields(before, suggestions, touched)
                    case TraitLine():
                        fields = TraitFields(before, touched)
                    case AudienceLine():
                        fields = _AudienceFields(before, suggestions, touched)
            small_button("close", "Remove this condition", lambda: drop(self))
        self._fields = fields

    def given(self) -> Line | None:
        """The condition; None while something is missing in it."""
        return self._fields.given()


class _AudienceFields:
    """A line about being part of an audience."""

    def __init__(self, before: AudienceLine, suggestions: Suggestions, touched: Touched) -> None:
        self._inside = ui.select(dict(_INSIDE), value=before.inside, on_change=touched)
        self._inside.props("outlined dense options-dense hide-bottom-space").classes("often")
        named(self._inside, "In or not")
        options = dict(suggestions.audiences)
        if before.key:
            options.setdefault(before.key, before.key)
        self._key = ui.select(options, value=before.key or next(iter(options), None), on_change=touched)
        self._key.props("outlined dense options-dense hide-bottom-space").classes("event")
        named(self._key, "Audience")

    def given(self) -> AudienceLine | None:
        """The line; None while no audience is chosen."""
        return AudienceLine(key=str(self._key.value), inside=bool(self._inside.value)) if self._key.value else None


def _adders(add: Callable[[Line], None], add_group: Callable[[], None] | None = None) -> None:
    """Buttons that add a line of each kind."""
    with ui.element("div").classes("row-line adders"):
        for text, icon, line in (
            ("Event", "bolt", EventLine(event="")),
            ("Trait", "sell", TraitLine(name="")),
            ("Audience", "groups", AudienceLine(key="")),
        ):
            button = ui.button(text, icon=icon, on_click=partial(add, line))
            button.props("flat dense no-caps")
            named(button, f"Add: {text.lower()}")
        if add_group is not None:
            button = ui.button("Group", icon="data_object", on_click=add_group).props("flat dense no-caps")
            named(button, "Add: group")
