"""What an audience costs: items folded into a state and asked about a second, beside a bare loop that counts in a dict.

The baseline sees the same items of the same profiles and only counts them by name; all is processor time, on one core.
So the ratio is the price of the condition, the window, the answer and when it is due. Every item is followed by a
question, as in the stream.
"""

import time
from collections.abc import Callable

from benchmarks.report import quantile, report
from headwater.profiles.language import Item, compile_query, dump, load, parse

PROFILES, ITEMS = 2_000, 20
ROUNDS = 5
HOUR = 3_600_000
START = 1_700_000_000_000
QUERIES = {
    "window": "event('Order Completed').where(property('total') >= 50).within(14 days).count() >= 2",
    "counter": "event('Order Completed').count()",
    "sum in a window": "event('Order Completed').within(90 days).sum(property('total'))",
    "funnel": "event('Cart Viewed').where(property('sku') = 'A' AND NOT event('Order Completed').within(parent: 1 day)"
    ".count() >= 1).within(7 days).count() >= 1",
    "traits": "trait('plan').one_of('pro', 'team') AND (trait('vip') = 'true' OR trait('seats') > 10)",
}
TRAITS = {"plan": "pro", "vip": False, "seats": 12}


def history() -> list[Item]:
    """The items of one profile: orders, carts and pages, some hours apart."""
    kinds = [("track", "Order Completed"), ("track", "Cart Viewed"), ("page", "Home"), ("track", "Order Completed")]
    made: list[Item] = []
    for number in range(ITEMS):
        kind, name = kinds[number % len(kinds)]
        properties = {"total": 30 + number * 5, "sku": "AB"[number % 2], "currency": "EUR"}
        made.append(Item(kind, name, "s1", f"m{number:04}", START + number * 17 * HOUR, properties, {}))
    return made


def bare(items: list[Item]) -> float:
    """Items a second that are counted by name in one dict a profile."""
    started = time.process_time()
    for _ in range(PROFILES):
        counts: dict[str, int] = {}
        for item in items:
            counts[item.name] = counts.get(item.name, 0) + 1
    return PROFILES * len(items) / (time.process_time() - started)


def asked(text: str, items: list[Item]) -> float:
    """Items a second that are folded in, each followed by a question; only those that the query wants, if any."""
    compiled = compile_query(parse(text))
    items = [item for item in items if compiled.wants(item)] or items
    fold, evaluate = compiled.fold, compiled.evaluate
    started = time.process_time()
    for _ in range(PROFILES):
        state = compiled.new_state()
        for item in items:
            fold(state, item)
            evaluate(state, TRAITS, item.at_ms)
    return PROFILES * len(items) / (time.process_time() - started)


def unwanted(items: list[Item]) -> float:
    """Items a second that no query names."""
    fold = compile_query(parse("event('Nobody Does This').count() >= 1")).fold
    started = time.process_time()
    for _ in range(PROFILES):
        for item in items:
            fold([[]], item)
    return PROFILES * len(items) / (time.process_time() - started)


def stored(items: list[Item]) -> tuple[float, int]:
    """States a second that are loaded and dumped again, and the bytes of one."""
    compiled = compile_query(parse(QUERIES["window"]))
    state = compiled.new_state()
    for item in items:
        compiled.fold(state, item)
    kept = dump(state)
    started = time.process_time()
    for _ in range(PROFILES * 10):
        dump(load(kept))
    return PROFILES * 10 / (time.process_time() - started), len(kept)


def median(measure: Callable[[], float]) -> float:
    return quantile([measure() for _ in range(ROUNDS)], 0.5)


def main() -> None:
    items = history()
    figures: dict[str, float] = {"bare dict, items a second": median(lambda: bare(items))}
    for name, text in QUERIES.items():
        rate = median(lambda text=text: asked(text, items))
        figures[f"{name}, items a second"] = rate
        figures[f"ratio, {name}"] = rate / figures["bare dict, items a second"]
    figures["unwanted items a second"] = median(lambda: unwanted(items))
    figures["states loaded and dumped a second"], figures["bytes of a state"] = stored(items)
    report("audiences", figures, target="window: 100,000 items folded and asked about a second on one core")


if __name__ == "__main__":
    main()
