"""Kafka: produces whole events to a topic, keyed by who did it, each stored once (`headwater.writers.kafka`)."""

from __future__ import annotations

import re
from typing import Any, Final

from headwater.spec.destination import Action, Batch, DestinationDefinition, Field
from headwater.spec.errors import SetupError
from headwater.spec.event import EVENT_TYPES
from headwater.spec.places import check_template
from headwater.writers.kafka import COMPRESSIONS, THREADS, connect, mechanism, servers

_NAME: Final = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9._-]{1,120}")
_MECHANISMS: Final = ("none", "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")


def check(settings: dict[str, Any]) -> None:
    """There are servers and a topic, and credentials if a mechanism wants them."""
    if not isinstance(settings.get("servers"), str) or not settings["servers"].strip():
        raise SetupError("Kafka needs its servers, such as kafka-1.example.com:9092,kafka-2.example.com:9092.")
    servers(settings["servers"])
    check_template(settings.get("topic"), _NAME, "topic")
    if settings.get("mechanism") not in (None, "", *_MECHANISMS):
        raise SetupError(f"The mechanism must be one of {', '.join(_MECHANISMS)}.")
    if settings.get("compression") not in (None, "", *COMPRESSIONS):
        raise SetupError(f"The compression must be one of {', '.join(COMPRESSIONS)}.")
    if mechanism(settings) and not (settings.get("user") and settings.get("password")):
        raise SetupError("The mechanism needs a user and a password.")
    if bool(settings.get("clientCertificate")) != bool(settings.get("clientKey")):
        raise SetupError("A client's certificate and its key go together.")
    if settings.get("caCertificate") and "-----BEGIN CERTIFICATE-----" not in str(settings["caCertificate"]):
        raise SetupError("The certificate of the authority must be PEM, from -----BEGIN CERTIFICATE----- on.")


def batch(settings: dict[str, Any]) -> Batch:
    """As many as the producer packs into a few requests."""
    return Batch(items=2_000, body_bytes=4_000_000, wait=0.05)


definition = DestinationDefinition(
    name="Kafka",
    description="Produces events to a topic of Apache Kafka, or of what speaks its protocol.",
    website="https://kafka.apache.org/",
    categories=("Raw Data",),
    fields=(
        Field(
            key="servers",
            label="Bootstrap servers",
            description="Brokers to ask first, as host:port with commas between them.",
            required=True,
            placeholder="kafka-1.example.com:9092,kafka-2.example.com:9092",
        ),
        Field(
            key="topic",
            label="Topic",
            description="Where events are produced to; {type} and {event} stand for the event's type and name.",
            required=True,
            default="events",
        ),
        Field(key="tls", label="TLS", description="Protect the connections with TLS.", type="boolean", default=True),
        Field(
            key="mechanism",
            label="SASL mechanism",
            description="How to log in.",
            type="select",
            default="none",
            choices=_MECHANISMS,
        ),
        Field(key="user", label="User", description="The user to log in as."),
        Field(key="password", label="Password", description="The user's password.", type="password"),
        Field(
            key="caCertificate",
            label="Certificate of the authority",
            description="The authority that signed the brokers' certificates, as PEM; empty for the public ones.",
            type="text",
        ),
        Field(
            key="clientCertificate",
            label="Client's certificate",
            description="The certificate to show to the brokers, as PEM.",
            type="text",
        ),
        Field(key="clientKey", label="Client's key", description="The certificate's key, as PEM.", type="password"),
        Field(
            key="compression",
            label="Compression",
            description="How records are compressed.",
            type="select",
            default="zstd",
            choices=COMPRESSIONS,
        ),
    ),
    action=Action(slug="produce", name="Produce", description="Produces the event as it stands.", writer=connect),
    event_types=EVENT_TYPES,
    check=check,
    batch=batch,
    previous_names=("Apache Kafka",),
    concurrency=THREADS,
    credentials=True,
)
