"""`headwater admin-token`: a new token for an owner who lost the last one."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from headwater.app.commands import flags, output
from headwater.app.commands.client import KEPT, Kept, collect_url, keep, manage_url
from headwater.spec.errors import SetupError

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

_NAME = "Admin, made on the machine"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("admin-token", rich_help_panel="House")(make_admin_token)


def make_admin_token(
    json: flags.Json = False,
    data: flags.Data = "",
    store: flags.StoreUrl = "",
    config: flags.Config = None,
    set: flags.Set = None,
) -> None:
    """Make a token that may do everything, for an owner who lost the last one. The house need not run.

    It is written straight into the store, so whoever may read the data folder may use this, and nobody else. It is
    shown this once, kept for the command line, and noted in the audit trail. Old tokens stay; `headwater delete-token`
    takes them back.

    \b
    Examples:
      headwater admin-token
      headwater admin-token --data /var/lib/headwater
    """
    from headwater.app.house import open_store

    settings = flags.Flags(data=data, store=store, config=config, assignments=tuple(set or ())).settings()
    folder = Path(settings.data)
    if not settings.store.url and not (folder / "store.sqlite").exists():
        raise SetupError(f"There is no house in {folder.absolute()} yet; `headwater serve` makes one, with a token.")
    opened = open_store(settings)
    try:
        text = opened.run(_make)
    finally:
        opened.close()
    folder.mkdir(parents=True, exist_ok=True)
    keep(folder, Kept(url=manage_url(settings), token=text, collect=collect_url(settings)))
    if json:
        output.print_json({"token": text})
    else:
        output.say(text)
        output.say(f"(shown this once; {folder / KEPT} keeps it for the command line)", error=True)


def _make(connection: Connection) -> str:
    from headwater.store import audit, tokens

    text, token_id = tokens.create_token(connection, name=_NAME, scopes=[tokens.ADMIN])
    note = audit.Entry(
        at=time.time_ns() // 1_000_000,
        type="Token Created",
        actor=token_id,
        resource_type="TOKEN",
        resource_id=token_id,
        resource_name=_NAME,
    )
    audit.add(connection, note)
    return text
