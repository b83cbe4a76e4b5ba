"""`headwater serve`: the house, or some of its roles."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from headwater.app.commands import flags
from headwater.app.commands.ports import bind_error
from headwater.spec.errors import SetupError
from headwater.spec.settings import Settings

Roles = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="ROLE", help="Run these in this process: collect, pipeline, deliver, warehouse, profiles, manage."
    ),
]
Spread = Annotated[bool, typer.Option("--spread", help="One process a role, instead of four for all.")]
Collectors = Annotated[
    int,
    typer.Option("--collectors", min=1, max=64, help="With --spread: processes that share the tracking port."),
]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(rich_help_panel="House")(serve)


def serve(
    roles: Roles = None,
    spread: Spread = False,
    collectors: Collectors = 1,
    data: flags.Data = "",
    log: flags.Log = "",
    store: flags.StoreUrl = "",
    config: flags.Config = None,
    set: flags.Set = None,
) -> None:
    """Start the house, or some of its roles: collect, pipeline, deliver, warehouse, profiles, manage.

    The first start prints the write key, the admin token and a line that sends a first event. Ctrl-C or SIGTERM lets it
    finish what it holds, up to 25 s a process; a second one ends it at once, and nothing acknowledged is lost.

    \b
    Examples, on one machine, with nothing else to install:
      headwater serve
      headwater serve --data /var/lib/headwater --set collect.port=80
    On one machine with many cores, a process a role:
      headwater serve --spread --collectors 4
    On many machines, each process with a data folder and, for load balancers, a health port:
      headwater serve collect --log kafka://k1:9092,k2:9092/headwater --store postgresql://user@db/headwater
      headwater serve pipeline profiles --config headwater.toml --set health_port=8082
    """
    given = flags.Flags(data=data, log=log, store=store, config=config, assignments=tuple(set or ()))
    if collectors > 1 and (roles or not spread):
        raise typer.BadParameter("It goes with --spread.", param_hint="--collectors")
    settings = given.settings()
    if roles:
        raise typer.Exit(_serve_some(settings, tuple(dict.fromkeys(roles))))
    raise typer.Exit(_serve_all(settings, spread=spread, collectors=collectors))


def _serve_all(settings: Settings, *, spread: bool, collectors: int) -> int:
    from headwater.app.commands.banner import announce
    from headwater.app.folder import hold
    from headwater.app.shapes import EMBEDDED, SPREAD
    from headwater.app.supervise import prepare_apart, supervise

    check_port(settings.collect.host, settings.collect.port, "collect.port")
    check_port(settings.manage.host, settings.manage.port, "manage.port")
    lock = hold(Path(settings.data))
    first = prepare_apart(settings)
    shape = SPREAD if spread else EMBEDDED
    return supervise(settings, shape, started=lambda: announce(settings, first), lock=lock, collectors=collectors)


def _serve_some(settings: Settings, roles: Sequence[str]) -> int:
    from headwater.app.apart import apart
    from headwater.app.commands.banner import show_keys
    from headwater.app.folder import hold_roles
    from headwater.app.serve import serve_roles
    from headwater.app.shapes import ROLE_NAMES

    for role in roles:
        if role not in ROLE_NAMES:
            named = ", ".join(ROLE_NAMES)
            raise typer.BadParameter(f"There is no role {role}. The roles are {named}.", param_hint="ROLE")
    settings = apart(settings, roles)
    hold_roles(Path(settings.data), roles)
    return serve_roles(settings, roles, show=lambda first: show_keys(settings, first))


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
