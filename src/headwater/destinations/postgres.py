"""PostgreSQL: writes whole events into one table, each messageId once (`headwater.writers.postgres`)."""

from __future__ import annotations

import re
from typing import Any, Final

from headwater.spec.destination import Action, Batch, DestinationDefinition, Field
from headwater.spec.errors import SetupError
from headwater.spec.event import EVENT_TYPES
from headwater.writers.postgres import MODES, connect

_TLS: Final = ("disable", "require", "verify-ca", "verify-full")
_NAME: Final = re.compile(r"[^\x00]{1,63}")


def check(settings: dict[str, Any]) -> None:
    """There is a server, a database and a user, and names that PostgreSQL takes."""
    for key in ("host", "database", "user"):
        if not isinstance(settings.get(key), str) or not settings[key].strip():
            raise SetupError(f"PostgreSQL needs a {key}.")
    if re.search(r"[/,\s@]", settings["host"]):
        raise SetupError("The host must be one name or address, without a port.")
    port = settings.get("port")
    if port not in (None, "") and (isinstance(port, bool) or not isinstance(port, int) or not 0 < port < 65_536):
        raise SetupError("The port must be a whole number from 1 to 65535.")
    for key in ("schema", "table"):
        if settings.get(key) and not (isinstance(settings[key], str) and _NAME.fullmatch(settings[key])):
            raise SetupError(f"The {key} must be a name of at most 63 characters.")
    if settings.get("tls") not in (None, "", *_TLS):
        raise SetupError(f"tls must be one of {', '.join(_TLS)}.")
    if settings.get("onDuplicate") not in (None, "", *MODES):
        raise SetupError(f"onDuplicate must be one of {', '.join(MODES)}.")
    if settings.get("tls") == "verify-ca" and not settings.get("caCertificate"):
        raise SetupError("To verify the authority alone, paste its certificate.")
    if settings.get("caCertificate") and "-----BEGIN CERTIFICATE-----" not in str(settings["caCertificate"]):
        raise SetupError("The certificate of the authority must be PEM, from -----BEGIN CERTIFICATE----- on.")


def batch(settings: dict[str, Any]) -> Batch:
    """As many rows as one statement takes with ease."""
    return Batch(items=1_000, body_bytes=2_000_000, wait=0.25)


definition = DestinationDefinition(
    name="PostgreSQL",
    description="Writes events into a table of a PostgreSQL database, each messageId once.",
    website="https://www.postgresql.org/",
    categories=("Raw Data",),
    fields=(
        Field(key="host", label="Host", description="The name or address of the server.", required=True),
        Field(key="port", label="Port", description="The server's port.", type="number", default=5432),
        Field(key="database", label="Database", description="The name of the database.", required=True),
        Field(
            key="user",
            label="User",
            description="A role that may insert into the table, and create it if it is to be made.",
            required=True,
        ),
        Field(key="password", label="Password", description="The role's password.", type="password"),
        Field(
            key="tls",
            label="TLS",
            description="How the connection is protected, and whether the server's certificate is checked.",
            type="select",
            default="require",
            choices=_TLS,
        ),
        Field(
            key="caCertificate",
            label="Certificate of the authority",
            description="The authority that signed the server's certificate, as PEM; empty for the public ones.",
            type="text",
        ),
        Field(key="schema", label="Schema", description="The schema that the table is in.", default="public"),
        Field(key="table", label="Table", description="The table that events are written into.", default="events"),
        Field(
            key="onDuplicate",
            label="If the messageId is there",
            description="Whether an event that is in the table already is ignored, or replaces the one there.",
            type="select",
            default="ignore",
            choices=MODES,
        ),
        Field(
            key="createTable",
            label="Create the table",
            description="Make the schema and the table when they are missing.",
            type="boolean",
            default=True,
        ),
    ),
    action=Action(slug="insert", name="Insert", description="Inserts the event as a row.", writer=connect),
    event_types=EVENT_TYPES,
    check=check,
    batch=batch,
    previous_names=("Postgres",),
    concurrency=2,
    credentials=True,
)
