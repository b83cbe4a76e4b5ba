"""How a benchmark tells what it measured: a line a figure, and JSON in benchmarks/results."""

import json
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"


def report(name: str, figures: dict[str, Any], *, target: str) -> None:
    """Print and keep the figures of one claim; `target` is what it should reach."""
    for label, value in figures.items():
        print(f"  {label:<46} {value:,.3f}" if isinstance(value, float) else f"  {label:<46} {value}")
    print(f"  {'target':<46} {target}", flush=True)
    RESULTS.mkdir(exist_ok=True)
    kept = {"figures": figures, "target": target, "at": datetime.now(UTC).isoformat(), "machine": platform.platform()}
    (RESULTS / f"{name}.json").write_text(json.dumps(kept, indent=2) + "\n")


def quantile(values: list[float], share: float) -> float:
    """The value below which that share of the values lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]
