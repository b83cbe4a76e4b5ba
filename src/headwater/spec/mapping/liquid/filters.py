"""The filters of templates, which take and give values as those of the JavaScript engine do (6.10).

None makes much more than it is given but those that say so, which look at how much that is first.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import math
import re
import unicodedata
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final, cast
from urllib.parse import quote, unquote_to_bytes

from headwater.spec.mapping.errors import TOO_LONG, MappingFailed
from headwater.spec.mapping.liquid.dates import DATES
from headwater.spec.mapping.liquid.values import counted, equal, items, true, written
from headwater.spec.mapping.paths import follow
from headwater.spec.mapping.values import MAX_TEXT, SPACES, UNDEFINED, json_text, number, text, tidy

_SPACES: Final = re.compile(f"[{SPACES}]+")
_LINES: Final = re.compile(r"\r?\n")
_KEPT_IN_COMPONENT: Final = "!'()*~-_."
_KEPT_IN_ADDRESS: Final = ";,/?:@&=+$-_.!~*'()#[]"
_ENTITIES: Final = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&#34;", "'": "&#39;"}
_SAFE: Final = 2**53 - 1


MISSING: Final = object()
Filter = Callable[..., Any]
"""From a value, and at most so many arguments as it names, to another value."""


def _text(run: Callable[[str], Any]) -> Filter:
    """A filter of a text."""

    def apply(value: Any) -> Any:
        return run(written(value))

    return apply


def _texts(run: Callable[[str, str], Any]) -> Filter:
    """A filter of a text and another, which is empty if it is not given."""

    def apply(value: Any, other: Any = UNDEFINED) -> Any:
        return run(written(value), written(other))

    return apply


def _three_texts(run: Callable[[str, str, str], Any]) -> Filter:
    def apply(value: Any, one: Any = UNDEFINED, other: Any = UNDEFINED) -> Any:
        return run(written(value), written(one), written(other))

    return apply


def _list(run: Callable[[list[Any]], Any]) -> Filter:
    """A filter of a list."""

    def apply(value: Any) -> Any:
        return run(items(value))

    return apply


def _arithmetic(run: Callable[[float, float], float]) -> Callable[..., float]:
    """A filter of two numbers; beyond all numbers lies an infinite one."""

    def apply(value: Any, other: Any = UNDEFINED) -> float:
        try:
            return tidy(run(float(counted(value)), float(counted(other))))
        except OverflowError:
            return math.inf
        except (ZeroDivisionError, ValueError):
            return math.nan

    return apply


def _rounded(run: Callable[[float], int]) -> Callable[[Any], float]:
    def apply(value: Any) -> float:
        found = counted(value)
        return found if math.isinf(found) else run(found)

    return apply


def _divided(value: float, other: float, whole: Any = False) -> float:
    one, by = counted(value), counted(other)
    if by == 0:
        return math.nan if one == 0 or one != one else math.copysign(math.inf, one)
    found = one / by
    return tidy(math.floor(found) if true(whole) and counted(whole) and math.isfinite(found) else found)


def _round(value: Any, places: Any = 0) -> float:
    found, digits = counted(value), int(max(-400, min(400, counted(places))))
    if math.isinf(found) or not abs(found) * 10.0 ** min(digits, 300) <= _SAFE:
        return found
    scaled = math.floor(float(f"{abs(found)!r}e{digits}" if "e" not in repr(found) else abs(found) * 10**digits) + 0.5)
    made = float(f"{scaled}e{-digits}")
    return tidy(-made if found < 0 else made)


def _sum(value: Any, path: Any = UNDEFINED) -> float:
    read = follow(written(path) if true(path) else "")
    numbers = [number(read(each)) for each in items(value)]
    return tidy(float(sum(each for each in numbers if each == each)))


def _default(value: Any, other: Any = "") -> Any:
    if isinstance(value, list | str):
        return value or other
    return value if true(value) else other


def _split(value: str, by: str) -> list[str]:
    parts = value.split(by) if by else list(value)
    while parts and not parts[-1]:
        parts.pop()
    return parts


def _join(value: Any, between: Any = " ") -> str:
    parts = ["" if each is None or each is UNDEFINED else text(each) for each in items(value)]
    return _within(" " if between is None or between is UNDEFINED else written(between), parts)


def _replace(value: str, what: str, by: str) -> str:
    return _within(by, value.split(what) if what else list(value))


def _within(between: str, parts: list[str]) -> str:
    if sum(map(len, parts)) + len(between) * max(0, len(parts) - 1) > MAX_TEXT:
        raise MappingFailed(TOO_LONG)
    return between.join(parts)


def _replace_last(value: str, what: str, by: str) -> str:
    before, found, after = value.rpartition(what) if what else (value, "", "")
    return before + by + after if found or not what else value


def _slice(value: Any, start: Any = 0, length: Any = 1) -> Any:
    whole: Any = [] if value is None or value is UNDEFINED else value if isinstance(value, list) else written(value)
    begin, count = _whole(start), _whole(length)
    begin = len(whole) + begin if begin < 0 else begin
    if begin < 0 or count < 0:
        return [] if isinstance(whole, list) else ""
    return whole[begin : begin + count]


def _whole(value: Any) -> int:
    found = counted(value)
    return int(max(-_SAFE, min(_SAFE, found)))


def _strip(value: Any, signs: Any = UNDEFINED) -> str:
    return written(value).strip(written(signs) or SPACES)


def _lstrip(value: Any, signs: Any = UNDEFINED) -> str:
    return written(value).lstrip(written(signs) or SPACES)


def _rstrip(value: Any, signs: Any = UNDEFINED) -> str:
    return written(value).rstrip(written(signs) or SPACES)


def _truncate(value: Any, length: Any = 50, end: Any = "...") -> Any:
    whole, most, end = written(value), _whole(length), written(end)
    return value if len(whole) <= most else whole[: max(most - len(end), 0)] + end


def _truncatewords(value: Any, length: Any = 15, end: Any = "...") -> str:
    words = _SPACES.split(written(value).lstrip(SPACES))
    most = max(1, _whole(length))
    return " ".join(words[:most]) + (written(end) if len(words) >= most else "")


def _number_of_words(value: str) -> int:
    return len(_SPACES.split(stripped)) if (stripped := value.strip(SPACES)) else 0


def _size(value: Any) -> int:
    return len(cast("Any", value)) if isinstance(value, list | str) else 0


def _first(value: Any) -> Any:
    if isinstance(value, list | str):
        return value[0] if value else UNDEFINED if isinstance(value, list) else ""
    return ""


def _last(value: Any) -> Any:
    if isinstance(value, list | str):
        return value[-1] if value else UNDEFINED if isinstance(value, list) else ""
    return ""


def _push(value: Any, other: Any = UNDEFINED) -> list[Any]:
    return [*items(value), other]


def _unshift(value: Any, other: Any = UNDEFINED) -> list[Any]:
    return [other, *items(value)]


def _raw(value: Any) -> Any:
    return value


def _where(value: Any, path: Any = UNDEFINED, wanted: Any = UNDEFINED) -> list[Any]:
    read = follow(written(path))
    found = [(each, read(each) if isinstance(each, dict | list) else UNDEFINED) for each in items(value)]
    return [each for each, own in found if (true(own) if wanted is UNDEFINED else equal(own, wanted))]


def _append(value: Any, other: Any = MISSING) -> str:
    return written(value) + _given(other)


def _prepend(value: Any, other: Any = MISSING) -> str:
    return _given(other) + written(value)


def _given(argument: Any) -> str:
    if argument is MISSING:
        raise MappingFailed("cannot use its template: append and prepend need an argument")
    return written(argument)


def _escape(value: str) -> str:
    return "".join(_ENTITIES.get(sign, sign) for sign in value)


def _escape_once(value: str) -> str:
    return _escape(re.sub("&(amp|lt|gt|#34|#39);", lambda found: _SIGNS[found[0]], value))


_SIGNS: Final = {entity: sign for sign, entity in _ENTITIES.items()}


def _strip_html(value: str) -> str:
    blocks = {"<script": "</script>", "<style": "</style>", "<!--": "-->", "<": ">"}
    made: list[str] = []
    at = 0
    while (start := value.find("<", at)) >= 0:
        made.append(value[at:start])
        at = -1
        for opening in [each for each in blocks if value.startswith(each, start)]:
            closing = blocks[opening]
            end = value.find(closing, start + len(opening))
            if end >= 0:
                at = end + len(closing)
                break
            del blocks[opening]
        if at < 0:
            return "".join([*made, value[start:]])
    return "".join([*made, value[at:]])


def _percent(value: str, kept: str) -> str:
    try:
        return quote(value, safe=kept)
    except UnicodeEncodeError:
        raise MappingFailed("cannot write half a character in an address") from None


def _url_decode(value: str) -> str:
    plain = value.replace("+", " ")
    if re.search("%(?![0-9A-Fa-f]{2})", plain):
        raise MappingFailed("cannot read a part of an address that is not escaped as one")
    try:
        return unquote_to_bytes(plain.encode("utf-8", "surrogatepass")).decode("utf-8", "strict")
    except UnicodeDecodeError:
        raise MappingFailed("cannot read a part of an address that is not escaped as one") from None


def _cgi_escape(value: str) -> str:
    return _percent(value, "~-_.").replace("%20", "+")


_LETTERS: Final = {"default": "", "latin": "", "pretty": "._~!$&'()+,;=@"}
_LATIN: Final = {
    ord(sign): plain
    for signs, plain in [
        *[("àáâãäå", "a"), ("æ", "ae"), ("ç", "c"), ("èéêë", "e"), ("ìíîï", "i"), ("ð", "d"), ("ñ", "n")],
        *[("òóôõöø", "o"), ("ùúûü", "u"), ("ýÿ", "y"), ("ß", "ss"), ("œ", "oe"), ("þ", "th")],
        *[("ẞ", "SS"), ("Œ", "OE"), ("Þ", "TH")],
    ]
    for sign in signs
}


def _slugify(value: Any, mode: Any = "default", cased: Any = False) -> str:
    slug = written(value)
    if mode == "raw":
        slug = _trimmed(_SPACES.sub("-", slug))
    elif mode == "ascii":
        slug = _trimmed(re.sub("[^A-Za-z0-9]+", "-", slug))
    elif mode in _LETTERS:
        slug = slug.translate(_LATIN) if mode == "latin" else slug
        kept = [sign if _is_letter(sign) or sign in _LETTERS[mode] else "\0" for sign in slug]
        slug = _trimmed(re.sub("\0+", "-", "".join(kept)))
    return slug if true(cased) and cased not in ("", 0) else slug.lower()


@lru_cache(maxsize=4_096)
def _is_letter(sign: str) -> bool:
    category = unicodedata.category(sign)
    return category[0] in "ML" or category == "Nd"


def _trimmed(slug: str) -> str:
    return slug.removeprefix("-").removesuffix("-")


def _base64_decode(value: str) -> str:
    bare = re.sub(r"[\t\n\f\r ]", "", value).rstrip("=")
    try:
        return base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True).decode("utf-8", "replace")
    except (binascii.Error, ValueError):
        raise MappingFailed("cannot read what is not base64") from None


def _sha256(value: str) -> str:
    return hashlib.sha256(value.encode("utf-8", "replace")).hexdigest()


def _hmac_sha256(value: str, key: str) -> str:
    return hmac.digest(key.encode("utf-8", "replace"), value.encode("utf-8", "replace"), "sha256").hex()


def _json(value: Any) -> Any:
    return value if value is UNDEFINED else json_text(value)


FILTERS: Final[dict[str, Filter]] = {
    "abs": _arithmetic(lambda value, other: abs(value)),
    "append": _append,
    "at_least": _arithmetic(max),
    "at_most": _arithmetic(min),
    "base64_decode": _text(_base64_decode),
    "base64_encode": _text(lambda value: base64.b64encode(value.encode("utf-8", "replace")).decode()),
    "capitalize": _text(lambda value: value[:1].upper() + value[1:].lower()),
    "ceil": _rounded(math.ceil),
    "cgi_escape": _text(_cgi_escape),
    "compact": _list(lambda found: [each for each in found if each is not None and each is not UNDEFINED]),
    "default": _default,
    "divided_by": _divided,
    "downcase": _text(str.lower),
    "escape": _text(_escape),
    "escape_once": _text(_escape_once),
    "first": _first,
    "floor": _rounded(math.floor),
    "hmac_sha256": _texts(_hmac_sha256),
    "inspect": _json,
    "join": _join,
    "json": _json,
    "jsonify": _json,
    "last": _last,
    "lstrip": _lstrip,
    "minus": _arithmetic(lambda value, other: value - other),
    "modulo": _arithmetic(lambda value, other: math.fmod(math.fmod(value, other) + other, other)),
    "normalize_whitespace": _text(lambda value: _SPACES.sub(" ", value)),
    "number_of_words": _text(_number_of_words),
    "plus": _arithmetic(lambda value, other: value + other),
    "pop": _list(lambda found: found[:-1]),
    "prepend": _prepend,
    "push": _push,
    "raw": _raw,
    "remove": _texts(lambda value, what: value.replace(what, "") if what else value),
    "remove_first": _texts(lambda value, what: value.replace(what, "", 1)),
    "remove_last": _texts(lambda value, what: _replace_last(value, what, "")),
    "replace": _three_texts(_replace),
    "replace_first": _three_texts(lambda value, what, by: value.replace(what, by, 1)),
    "replace_last": _three_texts(_replace_last),
    "round": _round,
    "rstrip": _rstrip,
    "sha256": _text(_sha256),
    "shift": _list(lambda found: found[1:]),
    "size": _size,
    "slice": _slice,
    "slugify": _slugify,
    "split": _texts(_split),
    "squish": _text(lambda value: _SPACES.sub(" ", value).strip(SPACES)),
    "strip": _strip,
    "strip_html": _text(_strip_html),
    "strip_newlines": _text(lambda value: _LINES.sub("", value)),
    "sum": _sum,
    "times": _arithmetic(lambda value, other: value * other),
    "to_integer": number,
    "truncate": _truncate,
    "truncatewords": _truncatewords,
    "unshift": _unshift,
    "upcase": _text(str.upper),
    "uri_escape": _text(lambda value: _percent(value, _KEPT_IN_ADDRESS)),
    "url_decode": _text(_url_decode),
    "url_encode": _text(lambda value: _percent(value, _KEPT_IN_COMPONENT).replace("%20", "+")),
    "where": _where,
    "xml_escape": _text(_escape),
    **DATES,
}
"""Every filter. One that is not here leaves its value as it is, but for those that are switched off."""

OFF: Final = frozenset(
    [
        *(
            "array_to_sentence_string",
            "concat",
            "find",
            "find_exp",
            "find_index",
            "find_index_exp",
            "group_by",
        ),
        *(
            "group_by_exp",
            "has",
            "has_exp",
            "map",
            "newline_to_br",
            "reject",
            "reject_exp",
            "reverse",
            "sort",
        ),
        *(
            "sort_natural",
            "uniq",
            "where_exp",
            "type",
        ),
    ]
)
"""Filters that are switched off (6.10)."""
