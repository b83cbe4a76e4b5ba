from headwater.pipeline.plan import compile_plan
from headwater.pipeline.route import Decision, Route, Routes, excluded_warehouses, route
from headwater.spec.computation import ENGAGE, Computation, Connection
from headwater.spec.event import EVENT_TYPES, Event
from headwater.spec.workspace import Destination, Source, Workspace

X = Route("x", ("X", "Old X", "my x"), EVENT_TYPES)
ONLY_TRACK = Route("t", ("T",), frozenset({"track"}))


def event(integrations: object = None, **body: object) -> Event:
    return Event(
        {"integrations": integrations or {}, **body}, source_id="s", received_at=0, position=0, type=str(body["type"])
    )


def decide(*ways: Route, **body: object) -> Decision:
    return route(event(**body), Routes.of(ways))


def test_an_event_without_wishes_goes_everywhere_it_is_understood() -> None:
    assert decide(X, ONLY_TRACK, type="track").chosen == ("x", "t")


def test_a_type_that_a_destination_does_not_take_is_refused_before_anything_else() -> None:
    decision = decide(X, ONLY_TRACK, type="page")
    assert decision == Decision(("x",), (("t", "UNSUPPORTED_EVENT_TYPE"),))


def test_the_integrations_object_may_use_any_name_of_the_destination() -> None:
    for name in X.names:
        assert decide(X, type="track", integrations={"All": False, name: True}).chosen == ("x",)
        refused = decide(X, type="track", integrations={name: False}).refused
        assert refused == (("x", "FILTERED_BY_INTEGRATIONS_OBJECT"),)


def test_options_count_as_yes_and_names_are_case_sensitive() -> None:
    assert decide(X, type="track", integrations={"All": False, "X": {"k": 1}}).chosen == ("x",)
    assert decide(X, type="track", integrations={"All": False, "x": True}).chosen == ()


def test_what_the_browser_sent_itself_is_not_sent_again() -> None:
    decision = decide(X, type="track", _metadata={"bundled": ["X"]})
    assert decision.refused == (("x", "MESSAGE_SENT_CLIENT_SIDE"),)


def test_metadata_of_any_shape_is_harmless() -> None:
    for metadata in (None, [], "x", {"bundled": None}, {"bundled": [1, None]}, {"nodeVersion": "20"}):
        assert decide(X, type="track", _metadata=metadata).chosen == ("x",)


def test_warehouses_are_excluded_only_by_their_own_key() -> None:
    assert excluded_warehouses(event({"All": False}, type="track"), ["w1", "w2"]) == ()
    assert excluded_warehouses(event({"Warehouses": {"all": False}}, type="track"), ["w1"]) == ("w1",)
    assert excluded_warehouses(event({"Warehouses": {"warehouseIds": ["w2"]}}, type="track"), ["w1", "w2"]) == ("w1",)


def test_a_storage_keeps_what_its_sender_wished_elsewhere() -> None:
    lake = Route("lake", ("S3",), EVENT_TYPES, storage=True)
    for wish in ({"All": False}, {"S3": False, "X": False}, {"All": False, "T": True}):
        assert decide(lake, X, type="track", integrations=wish).chosen == ("lake",)


def test_a_storage_keeps_all_of_its_source_and_of_a_space_what_is_told_to_it() -> None:
    told = Computation(
        id="c",
        space_id="sp",
        kind="audience",
        key="k",
        name="K",
        query="q",
        connections=(Connection(id="a", destination_id="lake"),),
    )
    plan = compile_plan(
        Workspace(
            id="w",
            slug="w",
            name="W",
            version=1,
            sources=(
                Source(id="s", slug="s", name="S"),
                Source(id="e", slug="e", name="E", kind=ENGAGE, settings={"spaceId": "sp"}),
            ),
            destinations=(Destination(id="lake", source_id="s", definition="s3", name="Lake"),),
            computations=(told,),
        ),
        (),
    )
    elsewhere = event({"All": False, "Mixpanel": True}, type="track")
    assert route(elsewhere, plan.sources["s"].routes).chosen == ("lake",)
    assert route(elsewhere, plan.sources["e"].routes).chosen == ()
    assert route(event({"All": False, "lake": True}, type="track"), plan.sources["e"].routes).chosen == ("lake",)
