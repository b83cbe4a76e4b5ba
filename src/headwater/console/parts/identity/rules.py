"""The identifier types of a space as a form: their order, their limits, and the values that are none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from nicegui import ui

from headwater.console.parts.identity.draft import (
    COLLECTIONS,
    FREQUENCIES,
    MOST_BLOCKED,
    blocked_words,
    in_order,
    read_blocked,
    write_blocked,
)
from headwater.console.parts.pieces import html, safe
from headwater.manage.operations.identity_rules import (
    AliasRule,
    BlockedShape,
    IdentifierTypeShape,
    IdentityRulesAnswer,
)
from headwater.spec.space import MAX_TYPES, is_type_name

_MOST_VALUES = 1_000


class RulesForm:
    """The form. `touched` is called when something was changed."""

    def __init__(self, rules: IdentityRulesAnswer, touched: Callable[[], None]) -> None:
        self._before = rules
        self._touched = touched
        self._rows: list[_Row] = []

    def build(self) -> None:
        """Place the types, the strongest first, a line to add one, and the rule for alias calls."""
        with ui.element("div").classes("rules").props('role=list aria-label="Identifier types"') as self._place:
            for kind in self._before.identifiers:
                self._add(kind)
        with ui.element("div").classes("row-line add-type"):
            self._name = ui.input("Another type, such as loyalty_card").props("outlined dense maxlength=100")
            self._name.props("autocomplete=off").on("keydown.enter", self._add_named)
            self._collection = ui.select(COLLECTIONS, value="users", label="Of").props("outlined dense")
            ui.button("Add type", icon="add", on_click=self._add_named).props("outline")
        alias = {"merge": "merges the two profiles", "record": "is recorded only"}
        self._alias = ui.select(alias, value=self._before.alias, label="An alias call", on_change=self._touched)
        self._alias.props("outlined dense").style("max-width: 260px")

    def wanted(self) -> tuple[list[IdentifierTypeShape], AliasRule] | None:
        """The rules that the form shows; None when something is wrong with it, which it shows."""
        kinds = [row.kind() for row in self._rows]
        found = [one for one in kinds if one is not None]
        alias: AliasRule = "record" if self._alias.value == "record" else "merge"
        return None if len(found) < len(kinds) else (in_order(found, self._before.identifiers), alias)

    def _add_named(self) -> None:
        name = (self._name.value or "").strip()
        self._name.error = None
        if not is_type_name(name):
            self._name.error = "Small letters, digits, dots, dashes and underscores."
        elif any(row.name == name for row in self._rows):
            self._name.error = "This type is there already."
        elif len(self._rows) >= MAX_TYPES:
            self._name.error = f"A space has {MAX_TYPES} types at most."
        else:
            collection: Literal["users", "accounts"] = "accounts" if self._collection.value == "accounts" else "users"
            self._add(IdentifierTypeShape(name=name, collection=collection))
            self._name.value = ""
            self._touched()

    def _add(self, kind: IdentifierTypeShape) -> None:
        with self._place:
            self._rows.append(_Row(kind, self._touched, self._move, self._drop))

    def _move(self, row: _Row, by: int) -> None:
        at = self._rows.index(row)
        to = at + by
        if 0 <= to < len(self._rows):
            self._rows.insert(to, self._rows.pop(at))
            row.element.move(target_index=to)
            self._touched()

    def _drop(self, row: _Row) -> None:
        if len(self._rows) > 1:
            self._rows.remove(row)
            self._place.remove(row.element)
            self._touched()


class _Row:
    """One type."""

    def __init__(
        self,
        kind: IdentifierTypeShape,
        touched: Callable[[], None],
        move: Callable[[_Row, int], None],
        drop: Callable[[_Row], None],
    ) -> None:
        self._kind = kind
        self._blocked = kind.blocked
        self._touched = touched
        self.name = kind.name
        with ui.element("div").classes("rule").props("role=listitem") as self.element:
            with ui.element("div").classes("rule-order"):
                _small("arrow_upward", f"{kind.name}: stronger", lambda: move(self, -1))
                _small("arrow_downward", f"{kind.name}: weaker", lambda: move(self, 1))
            html(f'<b class="mono">{safe(kind.name)}</b> <small class="soft">{COLLECTIONS[kind.collection]}</small>')
            self._limit = ui.number("At most", value=kind.limit, min=1, max=_MOST_VALUES, on_change=touched)
            self._limit.props(f'outlined dense hide-bottom-space aria-label="{kind.name}: at most"')
            self._frequency = ui.select(FREQUENCIES, value=kind.frequency, on_change=touched)
            self._frequency.props(f'outlined dense options-dense aria-label="{kind.name}: in which time"')
            self._button = ui.button(blocked_words(kind.blocked), on_click=self._ask).props("flat dense no-caps")
            _small("close", f"Remove {kind.name}", lambda: drop(self))

    def kind(self) -> IdentifierTypeShape | None:
        """The type as the form shows it; None when its limit is none."""
        limit: Any = self._limit.value
        fine = isinstance(limit, int | float) and limit == int(limit) and 1 <= limit <= _MOST_VALUES
        self._limit.error = None if fine else "1 to 1,000"
        if not fine:
            return None
        return IdentifierTypeShape(
            name=self._kind.name,
            collection=self._kind.collection,
            limit=int(limit),
            frequency=self._frequency.value or "EVER",
            blocked=self._blocked,
            priority=self._kind.priority,
        )

    def _ask(self) -> None:
        """The dialog for values that are none."""

        def take() -> None:
            found: tuple[BlockedShape, ...] = read_blocked(values.value or "", patterns.value or "")
            values.error = f"{MOST_BLOCKED} at most, of both." if len(found) > MOST_BLOCKED else None
            if values.error is None:
                self._blocked = found
                self._button.set_text(blocked_words(found))
                self._touched()
                dialog.close()

        before = write_blocked(self._blocked)
        with ui.dialog(value=True) as dialog, ui.card().classes("form wide-card"):
            dialog.on("hide", dialog.delete)
            html(f"<h2>Values that are no {safe(self.name)}</h2>")
            html('<div class="hint">Such as null, unknown or a test address: they would make strangers one.</div>')
            values = ui.textarea("Values, one a line", value=before[0]).props("outlined dense autogrow autofocus")
            patterns = ui.textarea("Patterns, one a line, such as ^[0-]*$", value=before[1])
            patterns.props("outlined dense autogrow").classes("mono")
            with ui.element("div").classes("row-line").style("justify-content: flex-end; width: 100%"):
                ui.button("Cancel", on_click=dialog.close).props("flat")
                ui.button("Take over", on_click=take)


def _small(icon: str, label: str, work: Callable[[], None]) -> None:
    button = ui.button(icon=icon, on_click=work).props("flat dense round size=sm")
    button.props["aria-label"] = label
