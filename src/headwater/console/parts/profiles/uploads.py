"""Uploading a CSV file of people, in a dialog: a file is chosen, what came of it is told, those before are listed.

The browser sends the file by itself (`console/files.py`); the page hears what came of it.
"""

from __future__ import annotations

import json
import time
from typing import Any, Final, cast

from nicegui import ui
from nicegui.events import GenericEventArguments

from headwater.console.parts.figures import ago_html, count, size
from headwater.console.parts.patched import Patched
from headwater.console.parts.pieces import Html, Tone, attempt, chip, safe, table_html
from headwater.console.person import Person
from headwater.manage.operations.csv_uploads import CsvUploadShape, FlawShape, ListCsvUploads, list_csv_uploads
from headwater.manage.operations.spaces import SpaceShape

_SEND: Final = """async (event) => {
  const field = event.target, file = field.files[0];
  if (!file) return;
  emit({ began: file.name });
  try {
    const address = %s + "?name=" + encodeURIComponent(file.name);
    const answer = await fetch(address, { method: "POST", body: file });
    const text = await answer.text();
    try {
      emit(JSON.parse(text));
    } catch {
      emit({ problems: [text.slice(0, 300)], begun: answer.status >= 500 });
    }
  } catch {
    emit({ problems: ["The upload was broken off. Choose the same file again; no row is told twice."], begun: true });
  }
  field.value = "";
}"""
_TONES: Final[dict[str, Tone]] = {"taken": "good", "taking": "accent", "refused": "bad", "failed": "bad"}
_RULES: Final = (
    "The first line names the columns: user_id, email and other identifier types of the space say who a row is about, "
    "every other column is a trait; in a file with none of the former, each row is a new anonymous person. Empty cells "
    "change nothing. UTF-8, at most 1,000,000 rows, 299 columns and 100 MB."
)


async def open_uploads(person: Person, space: SpaceShape) -> None:
    """Open the dialog."""
    view = _View(person, space)
    with ui.dialog(value=True) as dialog, ui.card().classes("form").style("width: 760px; max-width: 94vw"):
        dialog.on("hide", dialog.delete)
        ui.label("Upload people from a CSV file").classes("question")
        view.place()
        with ui.element("div").classes("row-line").style("justify-content: flex-end"):
            ui.button("Close", on_click=dialog.close).props("flat")
    await view.look()


class _View:
    def __init__(self, person: Person, space: SpaceShape) -> None:
        self._person = person
        self._space = space

    def place(self) -> None:
        """Place the field for the file, if this person may send one, and the list."""
        if self._person.may("profiles:write"):
            ui.label(_RULES).classes("soft")
            field = ui.element("input").props('type=file accept=".csv,text/csv" aria-label="CSV file"')
            address = json.dumps(f"/console/files/profiles/{self._space.id}")
            field.on("change", attempt(self._hear), js_handler=_SEND % address)
        self._said = Patched()
        self._list = Patched()

    async def look(self) -> None:
        """Ask for the list anew."""
        found = (await self._person.ask(list_csv_uploads, ListCsvUploads(space_id=self._space.id))).csv_uploads
        self._list.show(uploads_html(found, time.time_ns() // 1_000_000, self._person.zone))

    async def _hear(self, event: GenericEventArguments) -> None:
        told = cast("dict[str, Any]", event.args if isinstance(event.args, dict) else {})
        self._said.show(answer_html(told))
        if "began" not in told:
            await self.look()


def answer_html(told: dict[str, Any]) -> Html:
    """What came of a file, as the browser heard it."""
    if "began" in told:
        said = f"{safe(str(told['began'])[:255])} is sent and checked…"
        return Html(f'<div class="notice" role="status" aria-busy="true">{said}</div>')
    made = told.get("csvUpload")
    if not isinstance(made, dict):
        listed = cast("list[Any]", told["problems"]) if isinstance(told.get("problems"), list) else []
        items = "".join(f"<li>{safe(str(one)[:500])}</li>" for one in listed[:20])
        # What broke off may have told some rows before.
        head = "It was not taken to its end." if told.get("begun") else "Nothing was taken."
        return Html(f'<div class="notice error" role="alert">{head}<ul>{items}</ul></div>')
    made = cast("dict[str, Any]", made)
    taken, rows = int(made.get("taken") or 0), int(made.get("rows") or 0)
    out = f" Left out: {_rows(rows - taken)}; the list says why." if rows > taken else ""
    said = f"Taken: {count(taken)} of {_rows(rows)}.{out} They show in profiles within seconds."
    return Html(f'<div class="notice" role="status">{said}</div>')


def uploads_html(found: list[CsvUploadShape], now: int, zone: str) -> Html:
    """The files of the last days, and what is to be known of each."""
    if not found:
        return Html('<p class="soft">No file was uploaded in the last 30 days.</p>')
    rows = [
        (
            one.name,
            chip(one.state, _TONES.get(one.state, "warn")),
            f"{count(one.taken)} of {count(one.rows)}",
            size(one.size),
            Html(ago_html(one.created_at, now, zone)),
            _flaws_html(one),
        )
        for one in found
    ]
    heads = ("File", "State", "Rows taken", "Size", "When", "What is wrong")
    return table_html(heads, rows, right=(2, 3), label="Uploads of the last 30 days")


def _rows(number: int) -> str:
    return "1 row" if number == 1 else f"{count(number)} rows"


def _flaws_html(one: CsvUploadShape) -> Html:
    more = [f"{_rows(each.rows)}: {each.meaning}" for each in one.left_out]
    said = [*more, *(_flaw(each) for each in one.flaws)]
    if one.state == "interrupted":
        said.insert(0, "It was interrupted. Upload the same file again; no row is told twice.")
    if not said:
        return Html("")
    items = "".join(f"<li>{safe(each)}</li>" for each in said)
    return Html(f"<details><summary>{safe(said[0][:80])}</summary><ul>{items}</ul></details>")


def _flaw(flaw: FlawShape) -> str:
    where = [f"row {flaw.row}"] * bool(flaw.row) + [flaw.column] * bool(flaw.column)
    return f"{', '.join(where)}: {flaw.message}" if where else flaw.message
