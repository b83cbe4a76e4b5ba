"""No message stops identity, whatever stands where an identifier is looked for; and keys stay what databases take."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from test_pipeline_anything import HEADER, MESSAGE, ODD, PLAN

from headwater.contracts.identity import GraphInMemory
from headwater.eventlog import Chunk, Record
from headwater.pipeline.process import process
from headwater.pipeline.resolve import Identities
from headwater.spec.space import DEFAULT_TYPES, MAX_VALUE_CHARS, Blocked, IdentifierType, Space
from headwater.spec.workspace import Workspace

KINDS = (*DEFAULT_TYPES, IdentifierType(name="loyalty_card", blocked=(Blocked("^[0-]*$", "pattern"),)))
SPACE = Space(id="spa", slug="s", name="S", identifiers=KINDS)
WORKSPACE = Workspace(id="w", slug="w", name="W", version=1, spaces=(SPACE,))
VALUE = st.one_of(
    ODD, st.sampled_from(["a", "b", 1, 1.0, 1.5, "x" * 501, "ios", "android", "users", "accounts", "none"])
)
ENTRY = st.dictionaries(st.sampled_from(["id", "type", "collection", "encoding"]), VALUE, max_size=4)
WHOLE_ENTRY = st.builds(
    lambda id, type, of: {"id": id, "type": type, "collection": of, "encoding": "none"},
    VALUE,
    st.sampled_from(["email", "phone", "loyalty_card", "group_id", "a:b", ""]),
    st.sampled_from(["users", "accounts"]),
)
CONTEXT = st.fixed_dictionaries(
    {},
    optional={
        "device": st.one_of(
            ODD, st.dictionaries(st.sampled_from(["type", "id", "token", "advertisingId", "adTrackingEnabled"]), VALUE)
        ),
        "externalIds": st.one_of(ODD, st.lists(st.one_of(ODD, ENTRY, WHOLE_ENTRY), max_size=5)),
        "traits": st.one_of(ODD, st.dictionaries(st.sampled_from(["email", "loyaltyCard", "loyalty_card"]), VALUE)),
        "groupId": VALUE,
        "integrations": st.one_of(ODD, st.dictionaries(st.just("Google Analytics"), ODD)),
        "Braze": ODD,
    },
)


@given(st.lists(st.tuples(MESSAGE, CONTEXT), max_size=6), st.one_of(ODD, st.just({"Personas": False})))
@settings(max_examples=200, deadline=None)
def test_every_event_is_resolved_or_has_no_profile(messages: list[Any], integrations: Any) -> None:
    graph = GraphInMemory()
    batch = [{**message, "context": context} for message, context in messages]
    body = json.dumps({"batch": batch, "integrations": integrations}).encode()
    chunk = Chunk(0, [Record(b"", HEADER, body)])
    identities = Identities(lambda space: graph, remembered=100)
    for _ in range(2):
        identities.begin(WORKSPACE)
        process(
            chunk,
            PLAN,
            partition=0,
            now=1_700_000_000_000,
            find_duplicates=lambda ids, moments: set(),
            resolve=identities.resolve,
        )
        for _, changes in identities.changes():
            graph.write(changes)
            identities.written()
        identities.forget()
    for identifier in graph.links:
        name, _, value = identifier.partition(":")
        assert name and value and len(value) <= MAX_VALUE_CHARS and "\0" not in identifier
        identifier.encode()
    for identifier, link in graph.links.items():
        collection = {"group_id": "accounts", "user_id": "users", "anonymous_id": "users"}.get(identifier.split(":")[0])
        assert collection in (None, graph.nodes[link.profile_id].collection)
    for node, root in graph.canonical.items():
        assert graph.nodes[node].collection == graph.nodes[root].collection
