"""What pages about people say: titles, causes, the picture of a graph, traits with their past, rules that are tried."""

from headwater.console.parts.events.rows import trace_since
from headwater.console.parts.identity.draft import blocked_words, in_order, read_blocked, write_blocked
from headwater.console.parts.identity.trial import trial_html
from headwater.console.parts.profiles.access import curl_line
from headwater.console.parts.profiles.causes import Around, cause_html, link_rule, merge_rule
from headwater.console.parts.profiles.graph import MOST_IDENTIFIERS, MOST_PROFILES, draw
from headwater.console.parts.profiles.membership import memberships_html
from headwater.console.parts.profiles.rows import profile_path, profiles_html, title_of
from headwater.console.parts.profiles.trait_rows import traits_html
from headwater.manage.knowing import TraitShape, TraitValue
from headwater.manage.memberships import Membership
from headwater.manage.operations.identity_rules import IdentifierTypeShape, SimulateIdentityRulesAnswer, TrialShape
from headwater.manage.operations.profiles import GetProfileAnswer
from headwater.manage.people import CauseShape, IdentifierShape, MergeShape, ProfileSummary

NASTY = "<img src=x onerror=alert(1)>"
AT = "2026-11-20T10:00:00.000Z"
NOW = 1_795_255_200_000
CAUSE = CauseShape(message_id="m/1", type="track", name=NASTY, source_id="s1", at=AT, matched="user_id:u1")
AROUND = Around({"s1": "Web"}, "UTC", NOW, True, {"user_id": IdentifierTypeShape(name="user_id", limit=1, priority=1)})


def identifier(text: str, profile_id: str = "use_a", cause: CauseShape = CAUSE) -> IdentifierShape:
    type, _, value = text.partition(":")
    return IdentifierShape(identifier=text, type=type, value=value, profile_id=profile_id, cause=cause)


def merge(left: str, right: str, *, undone: bool = False, kind: str = "track") -> MergeShape:
    cause = CauseShape(message_id="m2", type=kind, name="", source_id="s1", at=AT, matched="")
    return MergeShape(
        id="mrg_1",
        left=left,
        right=right,
        survivor_id="use_a",
        merged_id="use_b",
        undone_at=AT if undone else None,
        cause=cause,
    )


def profile(identifiers: list[IdentifierShape], merges: list[MergeShape], *ids: str) -> GetProfileAnswer:
    fields = dict.fromkeys(GetProfileAnswer.__struct_fields__)
    fields |= {
        "id": "use_a",
        "profiles": list(ids),
        "identifiers": identifiers,
        "merges": merges,
        "removed": [],
        "groups": [],
    }
    return GetProfileAnswer(**fields)  # pyright: ignore[reportArgumentType] - the picture needs no more


def test_a_profile_is_called_by_what_people_know() -> None:
    known = ["anonymous_id:a1", "email:ada@example.com"]
    assert title_of("Ada", "ada@example.com", known, "use_a") == "Ada"
    assert title_of("", "", known, "use_a") == "ada@example.com"
    assert title_of("", "", ["anonymous_id:a:1"], "use_a") == "a:1"
    assert title_of("", "", [], "use_a") == "use_a"


def test_a_list_of_profiles_escapes_what_came_from_outside() -> None:
    one = ProfileSummary(
        id="use_a",
        collection="users",
        created_at=AT,
        identifiers=[f"user_id:{NASTY}"] * 5,
        identifiers_total=9,
        merges=2,
        name=NASTY,
        email=NASTY,
        events=1_234,
    )
    shown = profiles_html([one], "default", NOW, "UTC")
    assert "<img" not in shown
    assert all(text in shown for text in ("+6", "1,234", "2 merged", "never", 'href="/console/profiles/default/use_a"'))
    assert profile_path("a/b", "user_id:x/y") == "/profiles/a%2Fb/user_id%3Ax%2Fy"


def test_a_cause_leads_to_its_event_and_tells_the_rule() -> None:
    shown = cause_html(CAUSE, AROUND)
    assert "<img" not in shown
    assert 'href="/console/events/m%2F1?days=3"' in shown
    assert "user_id" in link_rule(identifier("email:x"), AROUND)
    assert "made the profile" in link_rule(
        identifier("user_id:u1", cause=CauseShape(**{**_fields(CAUSE), "matched": ""})), AROUND
    )
    told = merge_rule(merge("user_id:u1", "anonymous_id:a"), AROUND)
    assert "at most 1 ever, priority 1" in told
    assert "alias call" in merge_rule(merge("user_id:u1", "user_id:u2", kind="alias"), AROUND)


def _fields(cause: CauseShape) -> dict[str, str]:
    return {name: getattr(cause, name) for name in cause.__struct_fields__}


def test_an_event_of_long_ago_is_sought_as_far_back() -> None:
    assert trace_since("m", "2026-11-21T10:00:00Z", NOW) == "/events/m"
    assert trace_since("m", "2026-11-10T10:00:00Z", NOW) == "/events/m?days=13"
    assert trace_since("m", "2020-01-01T00:00:00Z", NOW) == "/events/m?days=31"


def test_the_picture_has_an_edge_for_each_identifier_and_each_merge_in_force() -> None:
    given = [identifier("anonymous_id:a"), identifier("user_id:u", "use_b")]
    merges = [merge("anonymous_id:a", "user_id:u"), merge("anonymous_id:a", "user_id:gone", undone=True)]
    drawing = draw(profile(given, merges, "use_b", "use_a"))
    assert drawing.nodes == ["use_a", given[0], "use_b", given[1]]
    assert drawing.edges == [*given, merges[0]]
    links = drawing.options["series"][0]["links"]
    assert [(one["source"], one["target"]) for one in links] == [(0, 1), (2, 3), (0, 2)]
    assert drawing.left_out == (0, 0)


def test_a_picture_of_many_is_bounded_and_says_what_it_leaves_out() -> None:
    ids = [f"use_{number}" for number in range(100)]
    given = [identifier(f"email:{id}-{number}", id) for id in ids for number in range(10)]
    drawing = draw(profile(given, [], "use_a", *ids))
    profiles, identifiers = drawing.left_out
    assert profiles == 101 - MOST_PROFILES
    assert len(given) - identifiers <= MOST_IDENTIFIERS
    assert len(drawing.nodes) == MOST_PROFILES + len(given) - identifiers
    assert len(draw(profile([identifier(f"email:{n}") for n in range(900)], [], "use_a")).edges) == MOST_IDENTIFIERS


def trait(name: str, *values: object, removed: bool = False) -> TraitShape:
    shown = [
        TraitValue(value=value, cut=len(str(value)) > 1_000, bytes=1_000_000, at=AT, source_id="s1", message_id="m")
        for value in values
    ]
    return TraitShape(name=name, removed=removed, current=shown[0], before=shown[1:])


def test_traits_show_their_past_and_long_values_are_folded() -> None:
    found = [
        trait(NASTY, NASTY, {NASTY: 1}),
        trait("about", "x" * 2_000),
        trait("gone", None, "Paris", removed=True),
        trait("tags", ["a", None, True]),
    ]
    shown = traits_html(found, {"s1": NASTY}, NOW, "UTC")
    assert "<img" not in shown
    assert all(text in shown for text in ("1 earlier value", "1.0 MB; its beginning", "taken away", "Paris"))
    assert "[&quot;a&quot;, null, true]" in shown


def test_memberships_are_listed_audiences_first() -> None:
    found = [
        Membership(key="spent", name="Spent", kind="trait", value=12.5, since=AT),
        Membership(key="vip", name=NASTY, kind="audience", value=True, since=AT),
        Membership(key="old", name="Old", kind="removed", value=NASTY, since=AT),
    ]
    shown = memberships_html(found, "UTC")
    assert "<img" not in shown
    assert shown.index("vip") < shown.index("Spent") < shown.index("Old")
    assert all(text in shown for text in ("in it", "removed since", "12.5", "2026-11-20 10:00:00"))
    assert "in no audience" in memberships_html([], "UTC")


def test_the_line_for_the_profile_api_is_safe_to_paste() -> None:
    line = curl_line("http://h:1", "default", "users", "user_id:a'b/$(x)+c")
    assert line == (
        'curl -u "$TOKEN:" \'http://h:1/v1/spaces/default/collections/users/profiles/'
        "user_id:a%27b%2F%24%28x%29%2Bc/traits?limit=200'"
    )


def test_a_new_order_is_written_as_priorities_and_an_old_one_is_kept() -> None:
    before = [IdentifierTypeShape(name="user_id", priority=1), *(IdentifierTypeShape(name=one) for one in ("a", "b"))]
    assert in_order(before, before) == before
    assert in_order(before[:2], before) == before[:2]
    turned = in_order([before[0], before[2], before[1]], before)
    assert [(one.name, one.priority) for one in turned] == [("user_id", 1), ("b", 2), ("a", 3)]
    added = in_order([IdentifierTypeShape(name="card"), *before], before)
    assert [(one.name, one.priority) for one in added] == [("card", 1), ("user_id", 2), ("a", 3), ("b", 4)]


def test_blocked_values_are_lines_each_once() -> None:
    blocked = read_blocked("null\n\n null \nunknown", "^0*$")
    assert [(one.value, one.kind) for one in blocked] == [("null", "exact"), ("unknown", "exact"), ("^0*$", "pattern")]
    assert write_blocked(blocked) == ("null\nunknown", "^0*$")
    assert [blocked_words(one) for one in ((), blocked[:1], blocked)] == ["Block values", "1 blocked", "3 blocked"]


def test_a_trial_says_what_would_merge_and_split() -> None:
    now = TrialShape(profiles=10, merges=2, violations={"value_limit_exceeded": 3}, examples=[])
    then = TrialShape(profiles=9, merges=3, violations={}, examples=[])
    many = [[f"user_id:{NASTY}", "b:2"], ["c:3"]]
    found = SimulateIdentityRulesAnswer(
        events=500, now=now, then=then, would_merge=30, would_split=0, merged=[many] * 20, split=[]
    )
    shown = trial_html(found)
    assert "<img" not in shown
    for words in ("30 profiles would be made of several; no profiles would fall apart", "and 20 more", "-3", "+1"):
        assert words in shown
    same = SimulateIdentityRulesAnswer(events=5, now=now, then=now, would_merge=0, would_split=0, merged=[], split=[])
    assert "The same profiles come of it." in trial_html(same)
