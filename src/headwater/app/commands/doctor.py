"""`headwater doctor`: is this machine fit for the house, and is the house well?"""

from __future__ import annotations

import typer
from rich.table import Table
from rich.text import Text

from headwater.app.commands import flags, output

_STYLES = {"ok": "green", "warn": "yellow", "fail": "bold red"}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(rich_help_panel="House")(doctor)


def doctor(
    json: flags.Json = False,
    data: flags.Data = "",
    log: flags.Log = "",
    store: flags.StoreUrl = "",
    config: flags.Config = None,
    set: flags.Set = None,
) -> None:
    """Check this machine, the settings and the house, and say what to do about what is wrong.

    Give it the same options as `headwater serve`. Of PostgreSQL and Kafka it tells whether they keep what they should,
    and changes nothing there. The exit status is 1 when a check fails.

    \b
    Examples:
      headwater doctor
      headwater doctor --data /var/lib/headwater --json
      headwater doctor --config headwater.toml --set health_port=8082
    """
    from headwater.app.doctor import examine

    given = flags.Flags(data=data, log=log, store=store, config=config, assignments=tuple(set or ()))
    findings = list(examine(given.mapping(), config))
    if json:
        output.print_json(findings)
    else:
        shown = Table(box=None, show_header=False, pad_edge=False)
        for one in findings:
            shown.add_row(
                Text(one.status, style=_STYLES[one.status]), Text(one.check, style="bold"), output.cell(one.found)
            )
            if one.advice:
                shown.add_row("", "", Text(output.clean(one.advice), style="yellow"))
        output.show(shown)
    if any(one.status == "fail" for one in findings):
        raise typer.Exit(1)
