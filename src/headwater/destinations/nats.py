"""NATS: publishes whole events to a subject of JetStream, and waits for the stream (`headwater.writers.nats`)."""

from __future__ import annotations

import re
from typing import Any, Final

from headwater.spec.destination import Action, Batch, DestinationDefinition, Field
from headwater.spec.errors import SetupError
from headwater.spec.event import EVENT_TYPES
from headwater.spec.places import check_template
from headwater.writers.nats import connect, servers

_SUBJECT: Final = re.compile(r"(?!\.)(?!.*\.\.)(?!.*\.$)[A-Za-z0-9_.-]{1,120}")


def check(settings: dict[str, Any]) -> None:
    """There are servers and a subject, and one way to log in at most."""
    if not isinstance(settings.get("servers"), str) or not settings["servers"].strip():
        raise SetupError("NATS needs its servers, such as nats://nats.example.com:4222.")
    servers(settings["servers"])
    check_template(settings.get("subject"), _SUBJECT, "subject")
    if settings.get("token") and (settings.get("user") or settings.get("password")):
        raise SetupError("Give a token, or a user and a password, but not both.")
    if settings.get("stream") and not re.fullmatch(r"[^\s.*>/\\\x00]{1,255}", str(settings["stream"])):
        raise SetupError("The stream's name has characters that a stream may not have.")
    if settings.get("caCertificate") and "-----BEGIN CERTIFICATE-----" not in str(settings["caCertificate"]):
        raise SetupError("The certificate of the authority must be PEM, from -----BEGIN CERTIFICATE----- on.")


def batch(settings: dict[str, Any]) -> Batch:
    """As many as are acknowledged together with ease."""
    return Batch(items=1_000, body_bytes=4_000_000, wait=0.05)


definition = DestinationDefinition(
    name="NATS",
    description="Publishes events to a subject of NATS JetStream, each messageId once within the stream's window.",
    website="https://nats.io/",
    categories=("Raw Data",),
    fields=(
        Field(
            key="servers",
            label="Servers",
            description="Addresses with commas between them, as nats:// or, with TLS, as tls://.",
            required=True,
            placeholder="nats://nats.example.com:4222",
        ),
        Field(
            key="subject",
            label="Subject",
            description="Where events are published; {type} and {event} stand for the event's type and name.",
            required=True,
            default="events.{type}.{event}",
        ),
        Field(key="stream", label="Stream", description="Refuse to publish if another stream takes the subject."),
        Field(key="user", label="User", description="The user to log in as."),
        Field(key="password", label="Password", description="The user's password.", type="password"),
        Field(key="token", label="Token", description="A token to log in with, instead of a user.", type="password"),
        Field(
            key="caCertificate",
            label="Certificate of the authority",
            description="The authority that signed the servers' certificates, as PEM; with it the connection has TLS.",
            type="text",
        ),
    ),
    action=Action(slug="publish", name="Publish", description="Publishes the event as it stands.", writer=connect),
    event_types=EVENT_TYPES,
    check=check,
    batch=batch,
    concurrency=4,
    credentials=True,
)
