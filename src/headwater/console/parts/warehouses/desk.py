"""Where a query is written and run."""

from __future__ import annotations

import asyncio
import time
from typing import Any, Final, cast

from nicegui import ui
from nicegui.events import GenericEventArguments

from headwater.console.parts.editor import Editor
from headwater.console.parts.figures import count, duration
from headwater.console.parts.leaving import leave_if_ended
from headwater.console.parts.pieces import empty, html, loading, notice, safe
from headwater.console.parts.warehouses.examples import EXAMPLES
from headwater.console.parts.warehouses.past import add_past, keep_past, read_past, title
from headwater.console.parts.warehouses.query_tables import picking_html
from headwater.console.parts.warehouses.result import QueryResult
from headwater.console.parts.warehouses.values import Found, position
from headwater.console.person import Person
from headwater.manage.operations.query import QueryEvents, QueryEventsAnswer, query_events
from headwater.manage.operations.tables import ListQueryTables, list_query_tables
from headwater.manage.problems import explain

_PICK: Final = "(event) => { const one = event.target.closest('[data-insert]'); if (one) emit(one.dataset.insert); }"


class QueryDesk:
    """The editor, the list of tables, and the place for results. One query runs at a time; it can be stopped."""

    def __init__(self, person: Person, sql: str) -> None:
        self._person = person
        self._past: list[str] = []
        self._left = False
        self._running: asyncio.Task[QueryEventsAnswer] | None = None
        with ui.element("div").classes("desk"):
            with ui.element("div").classes("stack"):
                self._choices()
                first = sql or next(iter(EXAMPLES.values()))
                self._editor = Editor(first, language="SQL", height=210, label="The query, in SQL")
                self._editor.map_key("Mod-Enter", self._run)
                self._buttons()
            with ui.element("aside").classes("tables").props('aria-label="Tables"'):
                self._tables = ui.element("div")
        self._result = ui.element("div").classes("stack")
        with self._result:
            empty("Nothing has run yet", "Write a query, or take an example, and run it with Ctrl+Enter.")
        ui.context.client.on_delete(self._leave)

    async def start(self) -> None:
        """Show the tables and this browser's last queries, once the browser is there."""
        with self._tables:
            await loading(320, self._show_tables)
        self._past = await read_past()
        self._show_past()

    def _choices(self) -> None:
        with ui.element("div").classes("row-line"):
            example = ui.select(list(EXAMPLES), label="Start from an example").classes("category grow")
            self._before = ui.select({}, label="Your last queries").classes("category grow")
            for one in (example, self._before):
                one.props("outlined dense options-dense")
        example.on_value_change(lambda event: self._take(EXAMPLES.get(str(event.value), "")))
        self._before.on_value_change(lambda event: self._take(str(event.value or "")))

    def _buttons(self) -> None:
        with ui.element("div").classes("row-line"):
            self._go = ui.button("Run", icon="play_arrow", on_click=self._run)
            self._end = ui.button("Stop", icon="stop", on_click=self._stop).props("outline")
            self._end.set_visibility(False)
            html('<span class="soft">Ctrl+Enter</span>')
            ui.element("div").classes("grow")
            self._said = ui.label().classes("soft number").props("role=status")

    def _take(self, sql: str) -> None:
        if sql:
            self._editor.set_value(sql)

    async def _show_tables(self) -> None:
        found = (await self._person.ask(list_query_tables, ListQueryTables())).tables
        shown = html(picking_html(found)).classes("picking")
        shown.on("click", self._pick, js_handler=_PICK)

    def _pick(self, event: GenericEventArguments) -> None:
        self._editor.insert(cast("str", event.args))

    def _show_past(self) -> None:
        self._before.set_options({one: title(one) for one in self._past})
        self._before.set_enabled(bool(self._past))

    async def _run(self, _: Any = None) -> None:
        sql = (self._editor.value or "").strip()
        if self._running is not None or not sql:
            return
        self._wait(True)
        began = time.monotonic()
        self._running = asyncio.create_task(self._person.ask(query_events, QueryEvents(sql=sql)))
        try:
            answer = await self._running
            self._show(answer, time.monotonic() - began)
        except asyncio.CancelledError:
            if not self._left:
                self._said.set_text("Stopped.")
            return
        except Exception as error:
            if not await leave_if_ended(error):
                self._refuse(error, sql)
        finally:
            self._running = None
            if not self._left:
                self._wait(False)
        self._past = add_past(self._past, sql)
        keep_past(self._past)
        self._show_past()

    def _wait(self, waiting: bool) -> None:
        self._go.set_enabled(not waiting)
        self._end.set_visibility(waiting)
        if waiting:
            self._said.set_text("Running …")
            self._editor.point_at(None)

    def _stop(self) -> None:
        if self._running is not None:
            self._running.cancel()

    def _leave(self) -> None:
        self._left = True
        self._stop()

    def _show(self, answer: QueryEventsAnswer, seconds: float) -> None:
        rows = len(answer.rows)
        more = ", and there are more" if answer.truncated else ""
        self._said.set_text(f"{count(rows)} {'row' if rows == 1 else 'rows'}{more} · {duration(seconds * 1000)}")
        self._result.clear()
        with self._result:
            if answer.truncated:
                notice(f"Only the first {count(rows)} rows are here.", todo="Group or LIMIT to see what matters.")
            if answer.rows:
                QueryResult(Found(answer.columns, answer.types, answer.rows))
            else:
                empty("No rows", "The query is right, and found nothing.")

    def _refuse(self, error: Exception, sql: str) -> None:
        _, problems, _ = explain(error)
        message = "\n".join(problem.message for problem in problems)
        place = position(message, self._editor.value or sql)
        self._said.set_text("Failed." if place is None else f"Failed at line {place[0]}, column {place[1]}.")
        self._editor.point_at(place)
        self._result.clear()
        with self._result:
            html(f'<div class="notice error" role="alert"><pre class="said">{safe(message)}</pre></div>')
