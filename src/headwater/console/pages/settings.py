"""The settings: which workspace this is, where it is reached, and who is looking at it."""

from __future__ import annotations

import asyncio

from nicegui import ui

from headwater.console.frame import Entry, page
from headwater.console.parts.facts import copied, facts
from headwater.console.parts.figures import moment_html
from headwater.console.parts.pieces import Html, chip, html
from headwater.console.parts.settings.head import settings_head
from headwater.console.parts.settings.own_password import own_password
from headwater.console.parts.settings.scope_words import word
from headwater.console.parts.sources.snippets import tracking_address
from headwater.console.person import Person
from headwater.manage.operations.house import GetHouse, GetHouseAnswer, get_house
from headwater.manage.operations.sessions import GetSession, SessionShape, get_session
from headwater.manage.operations.workspaces import GetWorkspace, get_workspace

_PAGES = (("API explorer", "/docs"), ("OpenAPI document", "/openapi.json"), ("Metrics", "/metrics"))


@page("/settings", title="Settings", scope="workspace:read", menu=Entry("settings", 90, key=","))
async def settings(person: Person) -> None:
    settings_head(person, "/settings")
    found, house, who = await asyncio.gather(
        person.ask(get_workspace, GetWorkspace()),
        person.ask(get_house, GetHouse()),
        person.ask(get_session, GetSession()),
    )
    workspace = found.workspace
    named = [
        ("Name", workspace.name),
        ("Short name", copied(workspace.slug)),
        ("Id", copied(workspace.id)),
        ("Version", f"Headwater {house.version}"),
    ]
    html(f'<div class="columns">{facts(named, "Workspace")}{facts(_addresses(house), "Addresses")}</div>')
    html(str(facts(_who(who.session, person.zone), "You")))
    if who.session.kind == "user":
        own_password(person)


def _addresses(house: GetHouseAnswer) -> list[tuple[str, object]]:
    url = ui.context.client.request.url
    public = house.collect.url if house.collect.public else ""
    tracking = tracking_address(public, url.hostname or "127.0.0.1", url.scheme, house.collect.port)
    links = " · ".join(f'<a href="{path}" target="_blank" rel="noopener">{title}</a>' for title, path in _PAGES)
    return [
        ("Tracking API", copied(tracking)),
        ("Management API", copied(f"{url.scheme}://{url.netloc}")),
        (
            "Listens on",
            f"{_where(house.collect.host, house.collect.port)}, {_where(house.manage.host, house.manage.port)}",
        ),
        ("For programs", Html(links)),
    ]


def _where(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _who(session: SessionShape, zone: str) -> list[tuple[str, object]]:
    kind = "with a password" if session.kind == "user" else "with a token"
    return [
        ("Signed in as", f"{session.name} {f'({session.email})' if session.email else ''} {kind}"),
        ("May", Html(" ".join(chip(word(scope)) for scope in session.scopes) or "nothing yet")),
        ("Until", Html(moment_html(session.expires_at, zone))),
        ("Times are shown in", zone),
    ]
