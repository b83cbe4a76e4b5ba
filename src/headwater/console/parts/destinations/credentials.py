"""The credentials of a destination: whether its tool accepts them, and how it is authorised with OAuth."""

from __future__ import annotations

from nicegui import ui

from headwater.console.parts.confirm import confirm
from headwater.console.parts.figures import moment_html
from headwater.console.parts.pieces import Tone, attempt, chip, copyable, heading, html, notice, safe
from headwater.console.person import Person
from headwater.manage.answers import DestinationShape
from headwater.manage.operations.destination_questions import check_authentication
from headwater.manage.operations.destinations import OneDestination
from headwater.manage.operations.oauth import (
    AuthorizationShape,
    CreateAuthorizationLink,
    OAuthAppShape,
    OneAuthorization,
    OneOAuthApp,
    SetOAuthApp,
    create_authorization_link,
    delete_authorization,
    get_authorization,
    get_oauth_app,
    set_oauth_app,
)

_TONES: dict[str, Tone] = {"granted": "good", "refused": "bad"}
_WORDS = {"granted": "authorised", "refused": "refused", "none": "not authorised yet"}


async def credentials(person: Person, one: DestinationShape) -> None:
    """What can be asked and done about a destination's credentials; nothing where it has none."""
    may = person.may("destinations:write")
    if one.metadata.tests_authentication and may:
        heading("Credentials")
        _check(person, one)
    if one.metadata.authentication.startswith("oauth"):
        heading("Authorization")
        await _Authorization(person, one).show()


def _check(person: Person, one: DestinationShape) -> None:
    async def ask() -> None:
        said.set_content('<span class="soft">Asking…</span>')
        answer = await person.ask(check_authentication, OneDestination(destination_id=one.id))
        word = (
            chip("accepted", "good") if answer.accepted else chip("refused" if answer.tested else "not known", "warn")
        )
        said.set_content(f"{word} {safe(answer.message)}")

    with ui.element("div").classes("card row-line"):
        ui.button("Ask the tool", on_click=attempt(ask)).props("outline")
        said = html('<span class="soft">Asks the tool whether it accepts the settings, as saved.</span>')


class _Authorization:
    """The app that asks for access, and the access that was given."""

    def __init__(self, person: Person, one: DestinationShape) -> None:
        self._person = person
        self._destination = one
        self._place = ui.element("div").classes("card stack")

    async def show(self) -> None:
        """Show how things stand, and what comes next."""
        asked = OneAuthorization(destination_id=self._destination.id)
        found = (await self._person.ask(get_authorization, asked)).authorization
        app = (await self._person.ask(get_oauth_app, OneOAuthApp(metadata_id=self._destination.metadata.id))).app
        self._place.clear()
        with self._place:
            html(_state(found, self._person.zone))
            if not self._person.may("destinations:write"):
                return
            if app.configured:
                self._granting(found)
            self._app(app)

    def _granting(self, found: AuthorizationShape) -> None:
        async def begin() -> None:
            asked = CreateAuthorizationLink(destination_id=self._destination.id)
            link = await self._person.ask(create_authorization_link, asked)
            ui.navigate.to(link.url)

        async def take_back() -> None:
            await self._person.ask(delete_authorization, OneAuthorization(destination_id=self._destination.id))
            await self.show()

        with ui.element("div").classes("row-line"):
            ui.button("Authorise" if found.state == "none" else "Authorise again", on_click=attempt(begin))
            if found.state != "none":
                asked = confirm(
                    "Take the authorization back?",
                    "Its tokens are forgotten, and the destination waits until it is authorised again.",
                    "Take back",
                    attempt(take_back),
                )
                ui.button("Take back", on_click=asked.open).props("outline color=negative")

    def _app(self, app: OAuthAppShape) -> None:
        with ui.expansion("The app that asks for access", value=not app.configured).props("dense").classes("grow"):
            about = "Register an app at the tool, with this address to come back to, and enter what it gives you."
            html(f'<p class="soft">{safe(about)}</p>{copyable(app.callback_url)}').style("width: 100%")
            with ui.element("div").classes("form settings wider"):
                name = ui.input("Client id *", value=app.client_id).props("outlined dense autocomplete=off")
                secret = ui.input("Client secret", password=True).props("outlined dense autocomplete=new-password")
                if app.client_secret:
                    secret.props["placeholder"] = "•••• is set; type to replace it"
                    secret.props("stack-label")
                authorize = ui.input("Where access is asked for", value=app.authorize_url).props("outlined dense")
                token = ui.input("Where tokens are given", value=app.token_url).props("outlined dense")
                scopes = ui.input("Scopes, by spaces", value=" ".join(app.scopes)).props("outlined dense")

            async def save() -> None:
                wanted = SetOAuthApp(
                    metadata_id=app.metadata_id,
                    client_id=(name.value or "").strip(),
                    client_secret=secret.value or app.client_secret,
                    authorize_url=(authorize.value or "").strip(),
                    token_url=(token.value or "").strip(),
                    scopes=(scopes.value or "").split(),
                )
                await self._person.ask(set_oauth_app, wanted)
                ui.notify("Saved.", type="positive")
                await self.show()

            ui.button("Save the app", on_click=attempt(save)).props("outline")
            if not app.known:
                notice("The tool's addresses are not known here; its pages for developers name them.")


def _state(found: AuthorizationShape, zone: str) -> str:
    word = chip(_WORDS[found.state], _TONES.get(found.state, "warn"))
    when = f" since {moment_html(found.updated_at, zone)}" if found.updated_at else ""
    renewed = " Its tokens are refreshed by themselves." if found.refreshes else ""
    why = f'<p class="soft">{safe(found.detail)}</p>' if found.detail else ""
    return f"<div>{word}{when}{renewed}{why}</div>"
