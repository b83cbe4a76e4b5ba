"""A made-up tool with actions, for tests: people are kept by their e-mail address, and what they did is told."""

from collections.abc import Sequence
from typing import Any

from headwater.spec.destination import Action, DestinationDefinition, Field, Item, Preset, Request, Steps
from headwater.spec.errors import SetupError
from headwater.spec.event import EVENT_TYPES
from headwater.spec.wire import encode

EMAIL = Field(
    key="email",
    label="E-mail",
    description="The address.",
    required=True,
    default={"@path": "$.traits.email"},
)


def upsert(settings: dict[str, Any], items: Sequence[Item]) -> Steps:
    """Look for the person, and then make or change them."""
    (item,) = items
    headers = {"Authorization": f"Bearer {settings['apiKey']}"}
    found = yield Request("GET", f"{settings['address']}/people/{item.payload['email']}", headers)
    method = "POST" if found.status == 404 else "PUT"
    yield Request(method, f"{settings['address']}/people", headers, encode(item.payload))
    return None


def tell(settings: dict[str, Any], items: Sequence[Item]) -> Steps:
    """Tell what a person did."""
    (item,) = items
    yield Request("POST", f"{settings['address']}/deeds", {}, encode(item.payload), secrets=(settings["apiKey"],))
    return None


def check(settings: dict[str, Any]) -> None:
    """The address is one."""
    if not str(settings.get("address", "")).startswith("http"):
        raise SetupError("The address must begin with http.")


definition = DestinationDefinition(
    name="CRM",
    description="People and what they did.",
    website="https://crm.test/",
    categories=("CRM",),
    fields=(
        Field(key="address", label="Address", description="Where it is.", required=True),
        Field(key="apiKey", label="Key", description="Its key.", type="password", required=True),
        Field(key="account", label="Account", description="Found when it was connected.", read_only=True),
    ),
    event_types=EVENT_TYPES,
    check=check,
    credentials=True,
    authentication="custom",
    actions=(
        Action(
            slug="upsertPerson",
            name="Upsert person",
            description="Makes or changes a person.",
            fields=(
                EMAIL,
                Field(key="name", label="Name", description="The name.", default={"@path": "$.traits.name"}),
                Field(
                    key="rank",
                    label="Rank",
                    description="How dear they are.",
                    choices=("gold", "silver"),
                    choice_labels=("Gold", "Silver"),
                ),
                Field(key="pin", label="Pin", description="A pin.", type="password"),
                Field(
                    key="address",
                    label="Address",
                    description="Where they live.",
                    type="object",
                    properties=(Field(key="city", label="City", description="The city."),),
                ),
            ),
            trigger='type = "identify"',
            sync_mode={"default": "upsert", "choices": [{"value": "add"}, {"value": "upsert"}]},
            hooks=("onMappingSave",),
            steps=upsert,
        ),
        Action(
            slug="tell",
            name="Tell",
            description="Tells what a person did.",
            fields=(
                Field(key="deed", label="Deed", description="What.", required=True, default={"@path": "$.event"}),
                Field(key="worth", label="Worth", description="How much.", type="number"),
            ),
            trigger='type = "track"',
            steps=tell,
        ),
    ),
    presets=(
        Preset(
            name="People",
            action="upsertPerson",
            trigger='type = "identify"',
            mapping={"email": {"@path": "$.traits.email"}, "__segment_internal_sync_mode": "upsert"},
        ),
        Preset(name="Deeds", action="tell", trigger='type = "track"', mapping={"deed": {"@path": "$.event"}}),
        Preset(
            name="Orders",
            action="tell",
            trigger='event = "Order Completed"',
            mapping={"deed": "order"},
            kind="specificEvent",
            event="order_completed",
        ),
    ),
)
