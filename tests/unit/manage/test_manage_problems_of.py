"""Golden cases of what needs attention (tests/cases/manage/problems.yaml)."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from headwater.manage.disk import Disk
from headwater.manage.overview import (
    DestinationFigures,
    Figures,
    ReaderFigures,
    SourceFigures,
    WarehouseFigures,
    problems_of,
)

CASES: list[dict[str, Any]] = yaml.safe_load(
    (Path(__file__).parents[2] / "cases" / "manage" / "problems.yaml").read_text()
)


def destination(given: dict[str, Any]) -> DestinationFigures:
    recent = {(step, reason): events for step, reason, events in given.get("recent", [])}
    return DestinationFigures(**{**given, "recent": recent})


@pytest.mark.parametrize("case", CASES, ids=[case["why"] for case in CASES])
def test_problems_are_told_as_the_case_says(case: dict[str, Any]) -> None:
    given = case["figures"]
    figures = Figures(
        destinations=[destination(one) for one in given.get("destinations", [])],
        sources=[SourceFigures(**one) for one in given.get("sources", [])],
        warehouses=[WarehouseFigures(**one) for one in given.get("warehouses", [])],
        readers=[ReaderFigures(**one) for one in given.get("readers", [])],
        parts=given.get("parts", {}),
        disk=Disk(**given["disk"]) if "disk" in given else None,
        open=given.get("open", 0),
    )
    assert [msgspec.to_builtins(problem) for problem in problems_of(figures)] == case["problems"]
