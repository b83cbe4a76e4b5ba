"""What it costs to decide on an event and to map it: a trigger, a filter, and mappings as destinations come with them.

Each is one function, compiled before, and asked for one event after the other, as deliver asks it. `default` is the
mapping of ten fields that an action for purchases would come with; its payload is then prepared for the action. `whole`
is a webhook's, which takes the event as it is.
"""

import time
from collections.abc import Callable
from typing import Any

from benchmarks.report import report
from headwater.spec.destination import Field
from headwater.spec.filters import compile_filters
from headwater.spec.fql import compile_query, compile_trigger, parse
from headwater.spec.mapping import compile_mapping
from headwater.spec.payload import compile_fields
from headwater.spec.workspace import DestinationFilter

ROUNDS = 5
EVENT: dict[str, Any] = {
    "type": "track",
    "event": "Order Completed",
    "messageId": "m1",
    "userId": "user-00000001",
    "anonymousId": "8c0a6d30-0000-4ea1-9f27-b5c0e1a5a001",
    "timestamp": "2024-01-01T00:00:00.000Z",
    "properties": {
        "orderId": "o1",
        "total": 99.5,
        "currency": "CHF",
        "coupon": None,
        "tags": ["vip", "spring"],
        "products": [{"product_id": f"p{number}", "price": 9.5, "quantity": number} for number in range(5)],
    },
    "context": {
        "ip": "203.0.113.7",
        "library": {"name": "analytics.js", "version": "2.1"},
        "locale": "de-CH",
        "page": {"path": "/", "url": "https://shop.example/", "title": "Shop"},
        "userAgent": "Mozilla/5.0",
        "traits": {"email": "Ada@Example.org", "firstName": "Ada", "lastName": "L"},
    },
    "integrations": {},
}
ITEM = {"id": {"@path": "$.product_id"}, "price": {"@path": "$.price"}, "quantity": {"@path": "$.quantity"}}
DEFAULT: dict[str, Any] = {
    "user": {
        "@if": {"exists": {"@path": "$.userId"}, "then": {"@path": "$.userId"}, "else": {"@path": "$.anonymousId"}}
    },
    "email": {"@case": {"operator": "lower", "value": {"@path": "$.context.traits.email"}}},
    "name": {"@template": "{{context.traits.firstName}} {{context.traits.lastName}}"},
    "event": {"@path": "$.event"},
    "at": {"@path": "$.timestamp"},
    "value": {"@path": "$.properties.total"},
    "currency": {"@path": "$.properties.currency"},
    "coupon": {"@path": "$.properties.coupon"},
    "items": {"@arrayPath": ["$.properties.products", ITEM]},
    "source": "website",
}


def field(key: str, type_: str = "string", **more: Any) -> Field:
    return Field(key=key, label=key, description="", type=type_, **more)


ITEM_FIELDS = (field("id"), field("price", "number"), field("quantity", "integer"))
FIELDS = (
    *(field("user", required=True), field("email", format="email"), field("name"), field("event"), field("source")),
    *(field("at", "datetime"), field("value", "number"), field("currency"), field("coupon")),
    field(
        "items",
        "object",
        multiple=True,
        properties=(field("id"), field("price", "number"), field("quantity", "integer")),
    ),
)
TEMPLATE = "{{ properties.total | times: 100 | round }}"
DROP = {"type": "DROP_PROPERTIES", "fields": {"properties.products": ["price"]}}


def rate(run: Callable[[dict[str, Any]], Any], times: int) -> float:
    """How many a second: the best of some rounds."""
    best = 0.0
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        for _ in range(times):
            run(EVENT)
        best = max(best, times / (time.perf_counter() - begun))
    return best


def main() -> None:
    mapped = compile_mapping(DEFAULT)
    prepared = compile_fields(FIELDS)
    payload = mapped(EVENT)
    assert prepared(payload, False)[1] == []
    query = parse("type = 'track' and properties.total >= 50 and match(event, 'Order *')")
    trigger = parse('type = "track" and event = "Order Completed" and properties.total > 50')
    trim = compile_filters([DestinationFilter(id="f", title="No prices", condition="type = 'track'", actions=(DROP,))])
    runs: dict[str, tuple[Callable[[dict[str, Any]], Any], int]] = {
        "triggers": (compile_trigger(trigger), 50_000),
        "conditions of filters": (compile_query(query), 50_000),
        "filters that drop a property of a list": (trim, 20_000),
        "mappings of the whole event": (compile_mapping({"data": {"@path": "$."}}), 50_000),
        "mappings of ten fields": (mapped, 5_000),
        "payloads of ten fields": (lambda event: prepared(payload, False), 5_000),
        "templates of Liquid": (compile_mapping({"x": {"@liquid": TEMPLATE}}), 2_000),
    }
    figures = {f"{name} a second": rate(run, times) for name, (run, times) in runs.items()}
    report("mapping", figures, target="20,000 mappings of ten fields a second on one core")


if __name__ == "__main__":
    main()
