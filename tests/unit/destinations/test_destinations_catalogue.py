"""The folder is the catalogue."""

from pathlib import Path

import headwater.destinations as catalogue


def test_every_file_is_a_destination_and_nothing_else_is_there() -> None:
    folder = Path(catalogue.__file__).parent
    assert set(catalogue.own_names()) == {path.stem for path in folder.glob("*.py")} - {"__init__"}
    assert {"webhook", "headwater"} <= set(catalogue.own_names())


def test_a_definition_is_imported_when_it_is_asked_for() -> None:
    assert catalogue.definition("webhook").name == "Webhook"
    assert catalogue.definition("webhook") is catalogue.definition("webhook")
