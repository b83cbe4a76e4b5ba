"""`headwater serve`: the house, or some of its roles."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from headwater.app.commands import flags
from headwater.app.commands.ports import bind_error
from headwater.spec.errors import SetupError
from headwater.spec.settings import Settings

if TYPE_CHECKING:
    pass

Roles = Annotated[
    list[str] | None,
    typer.Argument(metavar="ROLE", help="collect, pipeline, deliver, warehouse, manage; none: all of them."),
]
Spread = Annotated[bool, typer.Option("--spread", help="One process a role, instead of four for all.")]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(rich_help_panel="House")(serve)


def serve(
    roles: Roles = None,
    spread: Spread = False,
    data: flags.Data = "",
    log: flags.Log = "",
    store: flags.StoreUrl = "",
    config: flags.Config = None,
    set: flags.Set = None,
) -> None:
    """Start the house: the tracking API, the pipeline, deliveries, warehouses, the management API.

    The first start makes the data folder and prints the write key, the admin token and a line that sends a first event.
    Stop it with Ctrl-C; it finishes what it holds.

    \b
    Examples:
      headwater serve
      headwater serve --data /var/lib/headwater --set collect.port=80
      headwater serve --spread
      headwater serve collect --config headwater.toml
    """
    given = flags.Flags(data=data, log=log, store=store, config=config, assignments=tuple(set or ()))
    settings = given.settings()
    raise typer.Exit(_serve_some(settings, roles) if roles else _serve_all(settings, spread=spread))


def _serve_all(settings: Settings, *, spread: bool) -> int:
    from headwater.app.commands.banner import announce
    from headwater.app.folder import hold
    from headwater.app.shapes import EMBEDDED, SPREAD
    from headwater.app.supervise import prepare_apart, supervise

    check_port(settings.collect.host, settings.collect.port, "collect.port")
    check_port(settings.manage.host, settings.manage.port, "manage.port")
    lock = hold(Path(settings.data))
    first = prepare_apart(settings)
    shape = SPREAD if spread else EMBEDDED
    return supervise(settings, shape, started=lambda: announce(settings, first), lock=lock)


def _serve_some(settings: Settings, roles: Sequence[str]) -> int:
    from headwater.app.commands.banner import show_keys
    from headwater.app.house import prepare
    from headwater.app.roles import ROLES
    from headwater.app.serve import serve_roles

    for role in roles:
        if role not in ROLES:
            raise typer.BadParameter(f"There is no role {role}. The roles are {', '.join(ROLES)}.", param_hint="ROLE")
    first = prepare(settings)
    if first is not None:
        show_keys(settings, first)
    return serve_roles(settings, roles)


def check_port(host: str, port: int, name: str) -> None:
    """Raises SetupError when nobody may listen there now."""
    error = bind_error(host, port)
    if error is not None:
        why = {
            errno.EADDRINUSE: "is taken. Is a house running already? Stop it, or choose another",
            errno.EACCES: "may not be used by this person. Choose one above 1023",
        }.get(error.errno or 0, f"cannot be used ({error.strerror}). Choose another")
        variable = f"HEADWATER_{name.replace('.', '_').upper()}"
        raise SetupError(f"Port {port} of {host} {why} with --set {name}=PORT, or {variable}=PORT before the command.")
