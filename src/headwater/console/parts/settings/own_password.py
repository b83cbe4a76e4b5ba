"""The form in which people change their own password."""

from __future__ import annotations

from nicegui import ui

from headwater.console.parts.beside import beside
from headwater.console.parts.pieces import html
from headwater.console.person import Person
from headwater.manage.operations.sessions import ChangeOwnPassword, change_own_password
from headwater.manage.passwords import SHORTEST

TOO_SHORT = f"At least {SHORTEST} characters, please."


def password_field(label: str, *, known: bool = False) -> ui.input:
    """A field for a password; `known` is for the one that they have."""
    kind = "current-password" if known else "new-password"
    return ui.input(label, password=True, password_toggle_button=True).props(f"outlined dense autocomplete={kind}")


def own_password(person: Person) -> None:
    """Ask for the password before and after. Changing it ends every session of the person, this one included."""

    async def send() -> None:
        wanted = ChangeOwnPassword(current=current.value or "", password=new.value or "")
        words = {"password": TOO_SHORT}
        if await beside(lambda: person.ask(change_own_password, wanted), words, current=current, password=new):
            ui.run_javascript("location.assign('/console/sign-in')")

    with ui.element("section").classes("card"):
        html("<h2>Your password</h2>")
        with ui.element("div").classes("form").style("margin-top: 10px"):
            current = password_field("Password now", known=True)
            new = password_field(f"New password, at least {SHORTEST} characters").on("keydown.enter", send)
            html('<div class="hint">You will be asked to sign in again, here and everywhere else.</div>')
            ui.button("Change password", on_click=send).style("align-self: flex-start")
