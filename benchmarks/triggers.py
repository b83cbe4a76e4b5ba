"""How many triggers are looked at a second, by ours and by Segment's own package in Node.js, in the same run.

The triggers are those that the destinations of the catalogue suggest; each is asked for every event of a small mix.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.report import report
from headwater import catalogue
from headwater.spec.fql import compile_trigger, parse

PACKAGES = Path(__file__).parents[1] / "tests" / "differential"
SECONDS = 3.0
NAMES = ("Order Completed", "Product Viewed", "Signed Up", "Trial Started", "Button Clicked")
EVENTS: list[dict[str, Any]] = [
    {"type": "track", "event": name, "userId": "u", "properties": {"revenue": 10, "plan": "pro"}} for name in NAMES
] + [{"type": kind, "userId": "u", "traits": {"email": "a@example.com"}} for kind in ("identify", "page", "group")]
THEIRS = """
const { parseFql, validate } = require('@segment/destination-subscriptions')
const { triggers, events, seconds } = JSON.parse(require('node:fs').readFileSync(0))
const rate = (work) => {
  let done = 0
  const from = process.hrtime.bigint()
  while (Number(process.hrtime.bigint() - from) < seconds * 1e9) done += work()
  return done / (Number(process.hrtime.bigint() - from) / 1e9)
}
const parsed = triggers.map(parseFql)
let held = 0
const looks = rate(() => {
  for (const condition of parsed) for (const event of events) held += validate(condition, event)
  return parsed.length * events.length
})
const reads = rate(() => { triggers.forEach(parseFql); return triggers.length })
console.log(JSON.stringify({ looks, reads }))
"""


def main() -> None:
    if said := catalogue.missing():
        sys.exit(said)
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "scenarios"))
    node_client = __import__("node_client")
    node_client.install(PACKAGES)
    triggers = suggested()
    given = json.dumps({"triggers": triggers, "events": EVENTS, "seconds": SECONDS})
    theirs = json.loads(
        subprocess.run(
            [node_client.program("node"), "-e", THEIRS],
            cwd=PACKAGES,
            input=given,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    )
    held = [compile_trigger(parse(each)) for each in triggers]
    looks = rate(lambda: len([holds(event) for holds in held for event in EVENTS]))
    reads = rate(lambda: len([compile_trigger(parse(each)) for each in triggers]))
    figures = {
        "triggers": float(len(triggers)),
        "looks a second": looks,
        "  Segment's package": theirs["looks"],
        "ours / theirs": looks / theirs["looks"],
        "triggers read and compiled a second": reads,
        "  Segment's package, read only": theirs["reads"],
    }
    report("triggers", figures, target="a million looks a second, so that 100 subscriptions cost 0.1 ms an event")


def suggested() -> list[str]:
    """Every trigger that the catalogue suggests, once."""
    every = (catalogue.definition(slug) for slug in catalogue.names())
    return sorted({each.trigger for one in every for each in (*one.actions, *one.presets) if each.trigger})


def rate(work: Callable[[], int]) -> float:
    """How much work is done a second."""
    done, began = 0, time.perf_counter()
    while (took := time.perf_counter() - began) < SECONDS:
        done += work()
    return done / took


if __name__ == "__main__":
    main()
