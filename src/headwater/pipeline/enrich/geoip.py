"""Fills `context.location` with the country (and city, if the database has it) of the event's address (`context.ip`).

The database is any MMDB file in one of the shapes in use: nested as MaxMind and DB-IP write it, or flat as IPinfo does.
Without a file named, the country database of the package geoacumen is taken if it is installed. Nothing leaves the
machine. Private and reserved addresses have no place. A location of the sender's that says otherwise stays as it is.
"""

from __future__ import annotations

import importlib.util
import ipaddress
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

import maxminddb

from headwater.pipeline.enrich import Assets, Enrich, EnrichmentDefinition, Facts, Places, fill
from headwater.spec.errors import SetupError
from headwater.spec.event import Event
from headwater.spec.wire import JSON

_LONGEST = 45  # an IPv6 address with an IPv4 tail
_PACKAGE = "geoacumen"


def open_places(setting: str) -> Places | None:
    """Open the database that the setting names: a file, the installed one (empty), or none (`off`).

    Gives None when there is none to open. Raises SetupError when the file cannot be used. The file stays mapped into
    memory: replace it by renaming another over it and starting again, never by writing into it.
    """
    if setting == "off":
        return None
    file = setting or _installed()
    if not file:
        return None
    try:
        reader = maxminddb.open_database(file)
    except (OSError, ValueError, maxminddb.InvalidDatabaseError) as error:
        raise SetupError(
            f"The geo-IP database {file} cannot be read ({error}). "
            "Let pipeline.geoip_file name an MMDB file, leave it empty for the installed one, or say off."
        ) from error

    @lru_cache(maxsize=20_000)
    def find(address: str) -> Facts | None:
        try:
            parsed = ipaddress.ip_address(address)
            return describe(reader.get(parsed)) or None if parsed.is_global else None
        except (ValueError, maxminddb.InvalidDatabaseError):  # no address, or a damaged page of the file
            return None

    return find


def _installed() -> str:
    """The file of the installed country database, found without importing its package; empty if there is none."""
    package = importlib.util.find_spec(_PACKAGE)
    if package is None or package.origin is None:
        return ""
    return str(next(Path(package.origin).parent.glob("db/*.mmdb"), ""))


def describe(record: JSON) -> Facts:
    """The facts of a database record, whatever its shape."""
    if not isinstance(record, dict):
        return {}
    row = cast("dict[str, Any]", record)
    place = _object(row.get("location"))
    facts = {
        "country": _country(row),
        "region": _region(row),
        "city": _name(row.get("city")),
        "latitude": _degrees(place.get("latitude", row.get("latitude", row.get("lat")))),
        "longitude": _degrees(place.get("longitude", row.get("longitude", row.get("lng")))),
    }
    return {name: fact for name, fact in facts.items() if fact is not None}


def _country(row: dict[str, Any]) -> str | None:
    codes = (_object(row.get("country")).get("iso_code"), row.get("country_code"), row.get("country"))
    return next((code.upper() for code in codes if isinstance(code, str) and len(code) == 2 and code.isalpha()), None)


def _region(row: dict[str, Any]) -> str | None:
    parts = row.get("subdivisions")
    nested = cast("list[JSON]", parts)[0] if isinstance(parts, list) and parts else None
    return _name(nested) or _name(row.get("region"))


def _name(value: JSON) -> str | None:
    """A name as text, or the English one of an object with names."""
    if isinstance(value, str):
        return value or None
    return _name(_object(_object(value).get("names")).get("en")) if value else None


def _object(value: JSON) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _degrees(value: JSON) -> float | None:
    """Degrees, which some databases write as text."""
    try:
        degrees = float(value) if isinstance(value, str | int | float) else None
    except ValueError:
        return None
    return degrees if degrees is not None and abs(degrees) <= 180 else None


def _build(assets: Assets) -> Enrich:
    find = assets.geoip

    def add(event: Event) -> None:
        context = event.body["context"]
        address = context.get("ip")
        if find and isinstance(address, str) and 0 < len(address) <= _LONGEST:
            facts = find(address)
            if facts:
                fill(context, "location", facts)

    return add


definition = EnrichmentDefinition(
    name="geoip",
    description="Finds the country, and the city if the database has it, of the event's address.",
    reads=("context.ip",),
    adds=(
        ("context.location.country", "The country, as a code of two letters (ISO 3166-1)."),
        ("context.location.region", "The first division of the country, by its English name."),
        ("context.location.city", "The city, by its English name."),
        ("context.location.latitude", "Degrees north."),
        ("context.location.longitude", "Degrees east."),
    ),
    build=_build,
)
