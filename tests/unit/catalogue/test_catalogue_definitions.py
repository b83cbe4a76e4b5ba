"""Segment's destinations as they are declared: all of them load, and say what was pinned."""

from collections import Counter

import msgspec
import pytest

from headwater import catalogue
from headwater.catalogue import place
from headwater.catalogue.definitions import batching, check
from headwater.spec.destination import Batch, Field
from headwater.spec.errors import SetupError

if said := catalogue.missing():
    pytest.skip(said, allow_module_level=True)

ALL = {slug: catalogue.definition(slug) for slug in catalogue.names()}
DIRECT = {
    "actions-acoustic",
    "actions-amazon-eventbridge",
    "actions-aws-kinesis",
    "actions-kafka",
    "actions-liveramp-audiences",
    "actions-s3",
    "actions-s3-csv",
    "actions-sftp",
    "actions-the-trade-desk-crm",
}


def test_the_catalogue_is_the_pinned_one() -> None:
    actions = [action for each in ALL.values() for action in each.actions]
    assert catalogue.version() == "3.497.0"
    assert len(ALL) == 214
    assert len(actions) == 601
    assert sum(action.batches for action in actions) == 212
    assert sum(len(action.fields) for action in actions if not action.batches) > 2_000
    assert sum(line.presets for line in catalogue.summaries()) == 547
    assert Counter(preset.kind for each in ALL.values() for preset in each.presets) == {
        "automatic": 418,
        "specificEvent": 121,
    }
    assert Counter(each.authentication for each in ALL.values()) == {
        "custom": 159,
        "oauth2": 28,
        "basic": 17,
        "oauth-managed": 6,
        "none": 4,
    }
    assert sum(each.tests_authentication for each in ALL.values()) == 143
    assert sum(each.deletes for each in ALL.values()) == 26
    assert sum(bool(each.audience) for each in ALL.values()) == 27
    assert sum(bool(each.audience.get("creates")) for each in ALL.values()) == 26


def test_those_that_connect_by_themselves_are_known() -> None:
    assert {slug for slug, each in ALL.items() if each.direct} == DIRECT
    assert all(each.worker for each in ALL.values())


def test_hooks_and_dynamic_fields_are_told() -> None:
    places = [(slug, action.slug) for slug, each in ALL.items() for action in each.actions]
    assert sum(bool(catalogue.hooks(*place)) for place in places) == 12
    assert sum(bool(catalogue.dynamic_fields(*place)) for place in places) == 56
    hook = catalogue.hooks("actions-klaviyo", "upsertProfile")[0]
    assert (hook.slug, [field.key for field in hook.fields]) == ("retlOnMappingSave", ["list_identifier", "list_name"])


def test_every_default_mapping_is_json() -> None:
    for slug, each in ALL.items():
        for action in each.actions:
            mapping = {field.key: field.default for field in action.fields if field.default is not None}
            assert msgspec.json.decode(msgspec.json.encode(mapping)) == mapping, (slug, action.slug)


def test_presets_name_actions_that_exist() -> None:
    dangling = {
        (slug, preset.action) for slug, each in ALL.items() for preset in each.presets if not each.find(preset.action)
    }
    assert dangling == set()


def test_fields_keep_what_a_form_needs() -> None:
    fields = [field for each in ALL.values() for action in each.actions for field in action.fields]
    assert sum(bool(field.choices) for field in fields) == 290
    assert sum(bool(field.depends_on) for field in fields) == 270
    assert sum(bool(field.required_when) for field in fields) == 52
    assert sum(field.dynamic for field in fields) == 106
    assert sum(bool(field.object_ui) for field in fields) == 428
    assert sum(bool(field.disabled_inputs) for field in fields) == 37
    assert {field.type for field in fields} <= {
        "string",
        "text",
        "number",
        "integer",
        "datetime",
        "boolean",
        "password",
        "object",
    }
    assert all(len(field.choices) == len(field.choice_labels) for field in fields)


def test_every_destination_has_a_category_and_a_description() -> None:
    assert {one.slug for one in catalogue.summaries() if one.categories == ("Other",) or not one.description} == set()
    assert {one.slug: one.categories for one in catalogue.summaries()} == {
        slug: each.categories for slug, each in ALL.items()
    }


def test_an_action_that_batches_asks_whether_to() -> None:
    for each in ALL.values():
        for action in each.actions:
            asks = any(field.key == "enable_batching" for field in action.fields)
            assert asks or not action.batches


def test_an_unknown_destination_or_action_is_the_owners_to_mend() -> None:
    with pytest.raises(SetupError, match="no destination 'nothing'"):
        catalogue.definition("nothing")
    with pytest.raises(SetupError, match="no action 'nothing'"):
        catalogue.hooks("actions-webhook", "nothing")


def test_required_settings_are_asked_for_by_name() -> None:
    mixpanel = ALL["actions-mixpanel"]
    with pytest.raises(SetupError, match="projectToken"):
        mixpanel.check({})
    ALL["actions-webhook"].check({})


def test_a_setting_outside_its_choices_is_refused() -> None:
    field = Field(key="region", label="Region", description="", type="select", choices=("us", "1"))
    check("Tool", (field,), {"region": 1})
    with pytest.raises(SetupError, match="Region must be one of us, 1"):
        check("Tool", (field,), {"region": "mars"})


@pytest.mark.parametrize(
    ("mapping", "batch"),
    [
        ({}, Batch()),
        ({"enable_batching": False, "batch_size": 10}, Batch()),
        ({"enable_batching": True}, Batch(items=100, wait=1.0)),
        ({"enable_batching": True, "batch_size": 0}, Batch(items=100, wait=1.0)),
        (
            {"enable_batching": True, "batch_size": 7, "batch_bytes": 9, "batch_keys": ["url"]},
            Batch(items=7, body_bytes=9, wait=1.0, keys=("url",)),
        ),
        ({"enable_batching": True, "batch_size": 10_000}, Batch(items=4_000, wait=1.0)),
    ],
)
def test_the_mapping_says_how_events_are_batched(mapping: dict[str, object], batch: Batch) -> None:
    assert batching({}, mapping) == batch


@pytest.mark.parametrize(
    ("said", "keys"),
    [({}, ("url", "method", "headers")), ({"batch_keys": ["url"]}, ("url",)), ({"batch_keys": []}, ())],
)
def test_events_for_other_addresses_go_into_other_batches_unless_the_mapping_says_otherwise(
    said: dict[str, object], keys: tuple[str, ...]
) -> None:
    action = ALL["actions-webhook"].find("send")
    assert action is not None and action.batch is not None
    assert action.batch({}, {"enable_batching": True, **said}).keys == keys


@pytest.mark.parametrize(
    ("slug", "names"),
    [
        ("actions-amplitude", ("Amplitude (Actions)",)),
        ("actions-mixpanel", ("Actions Mixpanel",)),
        ("actions-jimo-cloud", ("Jimo Cloud (Actions)", "Actions Jimo Cloud")),
        ("actions-customerio", ("Customerio (Actions)", "Customer.io (Actions)")),
        ("actions-webhook", ("Webhooks (Actions)",)),
        ("outfunnel", ()),
    ],
)
def test_a_destination_is_known_by_all_names_that_segment_has_for_it(slug: str, names: tuple[str, ...]) -> None:
    assert ALL[slug].previous_names == names


def test_no_name_is_of_two_destinations() -> None:
    names = Counter(name for each in ALL.values() for name in {each.name, *each.previous_names})
    assert [name for name, times in names.items() if times > 1] == []


def test_without_a_catalogue_all_else_goes_on(tmp_path: object) -> None:
    place.use(str(tmp_path))
    try:
        assert "python -m headwater.catalogue.build" in catalogue.missing()
        assert catalogue.names() == ()
        assert catalogue.summaries() == ()
        with pytest.raises(SetupError, match="not built"):
            catalogue.definition("actions-webhook")
    finally:
        place.use("")
    assert len(catalogue.names()) == 214


def test_a_preset_has_the_sync_mode_of_its_action_unless_it_says_one() -> None:
    placed = next(each for each in ALL["actions-braze-cloud"].presets if each.name == "Order Placed (beta)")
    assert placed.mapping["__segment_internal_sync_mode"] == "add"
    for declared in ALL.values():
        for preset in declared.presets:
            action = declared.find(preset.action)
            assert action is not None
            assert not action.sync_mode.get("default") or "__segment_internal_sync_mode" in preset.mapping
