"""Reads the browser, operating system and device off the user agent (`context.userAgent`).

`context.device.type` is left alone: mobile libraries put the operating system there, and destinations read it so
(contract: connections 2.3, 2.5). Devices are named only when the user agent names them: desktop computers and the
placeholders of privacy-minded browsers are no device.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, lru_cache
from typing import TYPE_CHECKING

from headwater.pipeline.enrich import Assets, Enrich, EnrichmentDefinition, Facts, fill
from headwater.spec.event import Event

if TYPE_CHECKING:
    from ua_parser import PartialResult

_LONGEST = 1_024
_NO_DEVICE = frozenset({"Generic", "Spider"})  # what the parser calls a phone of no name, and a crawler
_UNKNOWN_MAKER = "Generic_"
_NO_MODEL = frozenset({"Mac", "K"})  # any desktop, and what Chrome says instead of the model


def _build(_assets: Assets) -> Enrich:
    _parser()
    return _add


def _add(event: Event) -> None:
    context = event.body["context"]
    agent = context.get("userAgent")
    if isinstance(agent, str) and 0 < len(agent) <= _LONGEST:
        for key, facts in read(agent):
            fill(context, key, facts)


@cache
def _parser() -> Callable[[str], PartialResult]:
    """The parser, made with the first plan that reads user agents: its thousands of patterns take 150 ms to prepare."""
    from ua_parser import Domain, load_lazy_builtins
    from ua_parser.regex import Resolver

    resolver = Resolver(load_lazy_builtins())
    return lambda agent: resolver(agent, Domain.ALL)


@lru_cache(maxsize=20_000)
def read(agent: str) -> tuple[tuple[str, Facts], ...]:
    """What a user agent tells, by key of the context; empty when it tells nothing."""
    try:
        found = _parser()(agent)
    except UnicodeEncodeError:  # a lone surrogate, which no browser sends
        return ()
    facts = (("browser", _browser(found)), ("os", _os(found)), ("device", _device(found)))
    return tuple((key, fact) for key, fact in facts if fact)


def _browser(found: PartialResult) -> Facts:
    browser = found.user_agent
    return _named(browser.family, browser.major, browser.minor, browser.patch) if browser else {}


def _os(found: PartialResult) -> Facts:
    system = found.os
    return _named(system.family, system.major, system.minor, system.patch) if system else {}


def _named(name: str, *numbers: str | None) -> Facts:
    version = ".".join(number for number in numbers if number)
    return {"name": name, "version": version} if version else {"name": name}


def _device(found: PartialResult) -> Facts:
    device = found.device
    if device is None or not device.model or device.brand in _NO_DEVICE or device.model in _NO_MODEL:
        return {}
    if not device.brand or device.brand.startswith(_UNKNOWN_MAKER):
        return {"model": device.model}
    return {"manufacturer": device.brand, "model": device.model}


definition = EnrichmentDefinition(
    name="user_agent",
    description="Reads the browser, operating system and device off the user agent.",
    reads=("context.userAgent",),
    adds=(
        ("context.browser.name", "The browser or program, such as Mobile Safari; a field of Headwater's own."),
        ("context.browser.version", "Its version, as far as the user agent tells it."),
        ("context.os.name", "The operating system, such as iOS."),
        ("context.os.version", "Its version; browsers may hold it fixed."),
        ("context.device.manufacturer", "Who made the device, such as Apple."),
        ("context.device.model", "The device's model, such as iPhone."),
    ),
    build=_build,
)
