"""The dialogs in which people are added, and their roles and passwords changed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Any

from nicegui import ui

from headwater.console.parts.beside import beside
from headwater.console.parts.pieces import html, safe
from headwater.console.parts.settings.own_password import TOO_SHORT, password_field
from headwater.console.person import Person
from headwater.manage.granting import PermissionInput
from headwater.manage.operations.roles import RoleShape
from headwater.manage.operations.users import (
    CreateUser,
    ReplacePermissionsForUser,
    SetPasswordOfUser,
    UserShape,
    create_user,
    replace_permissions_for_user,
    set_password_of_user,
)
from headwater.manage.passwords import SHORTEST

_WORDS = {
    "email": "An e-mail address, please, such as ada@example.com.",
    "name": "A name, please.",
    "password": TOO_SHORT,
}
Look = Callable[[], Awaitable[None]]


class _Roles:
    """A box to tick for each role that the person may give."""

    def __init__(self, person: Person, roles: Sequence[RoleShape], chosen: Collection[str]) -> None:
        self._boxes: dict[str, ui.checkbox] = {}
        with ui.element("div").classes("choices").props('role=group aria-label="Roles"'):
            for role in roles:
                box = ui.checkbox(role.name, value=role.id in chosen).props("dense")
                box.set_enabled(all(person.may(scope) for scope in role.scopes))
                html(f"<small>{safe(role.description)}</small>")
                self._boxes[role.id] = box

    def chosen(self) -> list[PermissionInput]:
        return [PermissionInput(role_id=role_id) for role_id, box in self._boxes.items() if box.value]


def new_person(person: Person, roles: Sequence[RoleShape], look: Look) -> None:
    """Ask for an e-mail, a name, a first password and roles."""

    async def send() -> bool:
        wanted = CreateUser(
            email=(email.value or "").strip(),
            name=(name.value or "").strip(),
            password=password.value or "",
            permissions=given.chosen(),
        )
        return await beside(lambda: person.ask(create_user, wanted), _WORDS, email=email, name=name, password=password)

    with _dialog("Add a person", "Add person", send, look, "They can sign in now."):
        email = ui.input("E-mail").props("outlined dense autofocus type=email autocomplete=off maxlength=254")
        name = ui.input("Name").props("outlined dense autocomplete=off maxlength=255")
        password = password_field(f"First password, at least {SHORTEST} characters")
        given = _Roles(person, roles, {"workspace-member"})


def change_roles(person: Person, user: UserShape, roles: Sequence[RoleShape], look: Look) -> None:
    """Ask which roles somebody shall have."""

    async def send() -> bool:
        wanted = ReplacePermissionsForUser(user_id=user.id, permissions=given.chosen())
        return await beside(lambda: person.ask(replace_permissions_for_user, wanted))

    with _dialog(f"Roles of {user.name}", "Change roles", send, look, "The roles count from now on."):
        given = _Roles(person, roles, {one.role_id for one in user.permissions or ()})


def change_password(person: Person, user: UserShape, look: Look) -> None:
    """Ask for another password of somebody."""

    async def send() -> bool:
        wanted = SetPasswordOfUser(user_id=user.id, password=password.value or "")
        return await beside(lambda: person.ask(set_password_of_user, wanted), _WORDS, password=password)

    with _dialog(f"Password of {user.name}", "Set password", send, look, "The password counts from now on."):
        ui.label("Their sessions end; tell them the new password yourself.").classes("soft")
        password = password_field(f"New password, at least {SHORTEST} characters").props("autofocus")


def _dialog(title: str, verb: str, send: Callable[[], Awaitable[bool]], look: Look, done: str) -> Any:
    """A dialog to fill in; its buttons stand below what is put into it."""

    async def go() -> None:
        if await send():
            dialog.close()
            ui.notify(done, type="positive")
            await look()

    with ui.dialog(value=True) as dialog, ui.card().classes("form wide-card"):
        dialog.on("hide", dialog.delete)
        ui.label(title).classes("dialog-title").props("role=heading aria-level=2")
        fields = (
            ui.element("form").classes("form").on("submit", go, js_handler="(e) => { e.preventDefault(); emit(); }")
        )
        with fields:
            inner = ui.element("div").classes("form")
            with ui.element("div").classes("row-line").style("justify-content: flex-end"):
                ui.button("Cancel", on_click=dialog.close).props("flat")
                ui.button(verb).props("type=submit")
    return inner
