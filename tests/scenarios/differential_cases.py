"""Generated triggers, mappings, payloads and events, by a seed, with a leaning towards what goes wrong.

Each stays within the language as it is documented, and most of what an event holds is something that a value of another
type looks like. What one side refuses on purpose stands in the table of `test_differential.py` and not here.
"""

from __future__ import annotations

from random import Random
from typing import Any

TEXTS = (
    "", " ", "a", "A", "ab", "abc", "Order Completed", "5", "05", "-1", "1e3", " 7 ", "0", "true", "false", "null",
    "undefined", "NaN", "{{a}}", "{{ properties.a }}", "$&", "$1", "a.b", "[1,2]", '{"a":1}', "{", "ß", "É", "e\u0301",
    "😀", "a😀b", "İ", "\t", "a\nb", "x-y_z", "2026-03-02T10:15:30.000Z", "2026-03-02", "1772446530", "1772446530000",
    "jane@example.com", "https://example.com/a?b=c#d", "'", "\\", "length",
)  # fmt: skip
NUMBERS = (0, 1, -1, 5, 10, 100, 2.5, 0.1, -0.5, 1e21, 1e-7, 1772446530, 1772446530000, 2**31, 2**53)
KEYS = ("a", "b", "c", "name", "products", "price", "a b", "x-y", "_z", "0", "length", "Ä")


def value(random: Random, depth: int = 3) -> Any:
    """Anything that JSON can be."""
    kind = random.randrange(14 if depth else 9)
    if kind < 4:
        return random.choice(TEXTS)
    if kind < 6:
        return random.choice(NUMBERS)
    if kind < 8:
        return random.random() < 0.5
    if kind == 8:
        return None
    if kind < 12:
        return thing(random, depth - 1)
    return [value(random, depth - 1) for _ in range(random.randrange(4))]


def thing(random: Random, depth: int = 2) -> dict[str, Any]:
    """An object."""
    return {random.choice(KEYS): value(random, depth) for _ in range(random.randrange(5))}


def event(random: Random) -> dict[str, Any]:
    """An event, which may lack anything."""
    made: dict[str, Any] = {"type": random.choice(("track", "track", "identify", "page", "group"))}
    for key in ("event", "name", "userId"):
        if random.random() < 0.7:
            made[key] = value(random, 0) if random.random() < 0.4 else random.choice(TEXTS)
    for key in ("properties", "traits", "context"):
        if random.random() < 0.8:
            made[key] = thing(random, 3) if random.random() < 0.95 else value(random, 1)
    if random.random() < 0.3:
        made[random.choice(KEYS)] = value(random)
    return made


# Triggers.

_SIGNS = ("=", "=", "!=", "!=", "<", "<=", ">", ">=")
_QUERY_TEXTS = tuple(text for text in TEXTS if '"' not in text and "*" not in text)


def trigger(random: Random) -> str:
    """One group of conditions, joined by all `and` or all `or`; in it there may be groups in parentheses."""
    return _group(random, nested=random.random() < 0.2)


def _group(random: Random, *, nested: bool) -> str:
    word = random.choice((" and ", " or "))
    parts = [_condition(random) for _ in range(random.choice((1, 1, 2, 2, 3)))]
    if nested and len(parts) > 1:
        inner = random.choice((" and ", " or "))
        compared = [_comparison(random) for _ in range(random.choice((1, 2, 3)))]
        parts[random.randrange(len(parts))] = f"({inner.join(compared)})"
    return word.join(parts)


def _condition(random: Random) -> str:
    if random.random() < 0.65:
        return _comparison(random)
    negated = random.choice(("", "!"))
    field = _field(random, types=False)
    text = random.choice(_QUERY_TEXTS)
    if random.random() < 0.5:
        return f'{negated}contains({field}, "{text}")'
    glob = random.choice((f"{text}*", f"*{text}"))
    return f'{negated}match({field}, "{glob}")'


def _comparison(random: Random) -> str:
    sign, field = random.choice(_SIGNS), _field(random)
    wanted = random.choice(("text", "text", "number", "word"))
    if sign not in ("=", "!="):
        wanted = "number"
    if wanted == "number":
        shown = random.choice(("0", "1", "-1", "+5", "5", "2.5", "0.1", "1772446530", "05"))
    elif wanted == "word":
        shown = random.choice(("null", "null", "true", "false"))
    else:
        shown = f'"{random.choice(_QUERY_TEXTS)}"' if random.random() < 0.95 else f"'{random.choice(('a', 'track'))}'"
    space = random.choice((" ", " ", "  ", "\n"))
    return f"{field}{space}{sign}{space}{shown}"


def _field(random: Random, *, types: bool = True) -> str:
    if random.random() < 0.4:
        return random.choice(("type", "event", "name", "userId") if types else ("event", "name", "userId"))
    path = [random.choice(("properties", "traits", "context"))]
    path += [_name(random) for _ in range(random.choice((1, 1, 1, 2, 3)))]
    return ".".join(path)


def _name(random: Random) -> str:
    """A name with a backslash before each sign that needs one, as a digit does that it begins with."""
    first, *rest = random.choice(KEYS)
    return _escaped(first, "_") + "".join(_escaped(sign, "_-0123456789") for sign in rest)


def _escaped(sign: str, others: str) -> str:
    return sign if (sign.isascii() and sign.isalpha()) or sign in others else f"\\{sign}"


# Mappings.


def mapping(random: Random) -> dict[str, Any]:
    """A mapping with some fields."""
    made = {f"field{index}": node(random, 3) for index in range(random.choice((1, 1, 2, 3)))}
    if random.random() < 0.02:
        made["__segment_internal_directive"] = {"@transform": {"apply": {"a": node(random, 1)}}}
    return made


def node(random: Random, depth: int) -> Any:
    """A part of a mapping: mostly directives, of values that are mostly what they want."""
    if depth == 0 or random.random() < 0.15:
        return random.choice((value(random, 1), {"@path": path(random)}, random.choice(TEXTS)))
    name = random.choice(tuple(_DIRECTIVES))
    made = {name: _DIRECTIVES[name](random, depth - 1)}
    return _spoiled(random, name, made) if random.random() < 0.06 else made


def _spoiled(random: Random, name: str, made: dict[str, Any]) -> dict[str, Any]:
    """A directive with something about it that is mostly wrong."""
    argument = made[name]
    wrong: list[dict[str, Any]] = [
        {name: value(random, 2)},
        {**made, "a": 1},
        {**made, "@path": "a"},
        {**made, "_metadata": {"label": "a"}},
        {"@bogus": argument},
    ]
    if isinstance(argument, dict) and argument:
        key = random.choice(list(argument))
        wrong.append({name: {**argument, key: value(random, 1)}})
        wrong.append({name: {other: each for other, each in argument.items() if other != key}})
        wrong.append({name: {**argument, random.choice(KEYS): node(random, 0)}})
    return random.choice(wrong)


def path(random: Random) -> str:
    """A path, which often leads somewhere."""
    parts = random.sample(("properties", "traits", "context", *KEYS, "event", "userId"), random.choice((1, 2, 2, 3)))
    made = random.choice(("", "", "$.", "$.")) + parts[0]
    for part in parts[1:]:
        made += random.choice((f".{part}", f".{part}", f"['{part}']", f'["{part}"]', f"[{random.randrange(3)}]"))
    return made if random.random() < 0.96 else random.choice(("", ".", "$.", "$", "a..b", "a[b]", "[0]", "a.", ".a"))


def _text(random: Random, depth: int) -> Any:
    return (
        random.choice(TEXTS) if random.random() < 0.2 else node(random, depth) if random.random() < 0.3 else at(random)
    )


def at(random: Random) -> dict[str, str]:
    return {"@path": path(random)}


def _template(random: Random, depth: int) -> str:
    parts = ("{{%s}}", "{{ %s }}", "{{{%s}}}", "%s", "{{%s", "%s}}", "{{{ %s }}")
    return "".join(random.choice(parts) % path(random) for _ in range(random.randrange(4)))


def _if(random: Random, depth: int) -> dict[str, Any]:
    made: dict[str, Any] = {random.choice(("exists", "exists", "blank")): _text(random, depth)}
    for key in ("then", "else"):
        if random.random() < 0.85:
            made[key] = node(random, depth)
    return made


def _case(random: Random, depth: int) -> dict[str, Any]:
    return {"operator": random.choice(("lower", "upper", "upper", "title")), "value": at(random)}


def _replace(random: Random, depth: int) -> dict[str, Any]:
    short = [text for text in (*TEXTS, "[", "(", "+", "|", "/", "$") if 0 < len(text.encode("utf-16-le")) <= 20]
    made: dict[str, Any] = {"pattern": random.choice(short), "value": at(random)}
    if random.random() < 0.8:
        made["replacement"] = random.choice([*short, "", "$$", "$`", "$'"])
    if random.random() < 0.3:
        made["pattern2"] = random.choice(short)
        if random.random() < 0.7:
            made["replacement2"] = random.choice(short)
    for key in ("ignorecase", "global"):
        if random.random() < 0.3:
            made[key] = random.random() < 0.5
    return made


def _array_path(random: Random, depth: int) -> list[Any]:
    start: Any = path(random) if random.random() < 0.7 else _text(random, depth)
    if random.random() < 0.3:
        return [start]
    return [start, {random.choice(KEYS): node(random, depth) for _ in range(random.randrange(3))}]


def _merge(random: Random, depth: int) -> dict[str, Any]:
    objects = [random.choice((at(random), thing(random, 1), node(random, depth))) for _ in range(random.randrange(4))]
    return {"objects": objects, "direction": random.choice(("left", "right", "Left"))}


def _transform(random: Random, depth: int) -> dict[str, Any]:
    apply = {random.choice(KEYS): node(random, depth) for _ in range(random.randrange(1, 3))}
    return {"apply": apply, "mapping": {random.choice(KEYS): at(random), "b": node(random, depth)}}


def _flatten(random: Random, depth: int) -> dict[str, Any]:
    made: dict[str, Any] = {"value": _text(random, depth), "separator": random.choice((".", "_", "", "__", "a"))}
    return made | ({"omitArrays": random.random() < 0.5} if random.random() < 0.4 else {})


def _json(random: Random, depth: int) -> dict[str, Any]:
    return {"mode": random.choice(("encode", "decode", "Encode")), "value": _text(random, depth)}


# What gives text back for anything. Moments are read more strictly by us, and inherited facts of objects not at all.
_FILTERS = (
    "abs", "at_least: 3", "at_most: 3", "capitalize", "ceil", "cgi_escape", "compact", "divided_by: 2", "downcase",
    "escape", "escape_once", "floor", "join", 'join: "-"', "lstrip", "minus: 1", "modulo: 3", "normalize_whitespace",
    "number_of_words", "plus: 2.5", "plus: 1", 'append: "z"', 'prepend: "z"', 'remove: "a"', 'remove_first: "a"',
    'remove_last: "a"', 'replace: "a", "b"', 'replace_first: "a", "b"', 'replace_last: "a", "b"', "round", "round: 1",
    "rstrip", "slugify", 'split: ","', "strip", "strip_html", "strip_newlines", "times: 3", "to_integer",
    "truncate: 5", 'truncate: 5, "."', "truncatewords: 1", "upcase", "uri_escape", "url_encode", "url_decode",
    "xml_escape", 'default: "none"', "default: 5", "sum", 'push: "z"', "pop", "shift", 'unshift: "z"',
    "reverse", "sort", "map: a", "nosuch",
)  # fmt: skip
_COMPARED = ('"a"', '""', "5", "0", "true", "nil")


def _liquid(random: Random, depth: int) -> str:
    return "".join(_liquid_part(random) for _ in range(random.choice((1, 1, 2, 3))))


def _liquid_part(random: Random) -> str:
    value = _liquid_value(random)
    shown = f"{value}{_filtered(random)}"
    asked = f"{value} {random.choice(('==', '!=', '>', '<', 'contains'))} {random.choice(_COMPARED)}"
    return random.choice(
        (
            f"{{{{ {shown} }}}}",
            f"{{{{ {shown} }}}}",
            f"{{{{{shown}}}}}",
            f"{{{{- {shown} -}}}}",
            f"{{% echo {shown} %}}",
            f"{{% if {random.choice((value, asked))} %}}yes{{% else %}}no{{% endif %}}",
            f"{{% unless {asked} and {value} %}}yes{{% endunless %}}",
            f"{{% assign made = {shown} %}}<{{{{ made }}}}>",
            f"{{% capture made %}}{{{{ {shown} }}}}{{% endcapture %}}{{{{ made }}}}",
            " a b ",
            "{% raw %}{{ a }}{% endraw %}{% comment %}a{% endcomment %}",
        )
    )


def _liquid_value(random: Random) -> str:
    if random.random() < 0.2:
        return random.choice(('"a b"', '" 7 "', "5", "-2.5", "true", '""'))
    names = ("properties", "traits", "context", "a", "b", "c", "name", "products", "price")
    return ".".join(random.sample(names, random.choice((1, 2, 2))))


def _filtered(random: Random) -> str:
    return "".join(f" | {random.choice(_FILTERS)}" for _ in range(random.choice((0, 1, 1, 2))))


_DIRECTIVES: dict[str, Any] = {
    "@path": lambda random, depth: path(random) if random.random() < 0.9 else _text(random, depth),
    "@template": _template,
    "@literal": lambda random, depth: value(random, 2) if random.random() < 0.7 else node(random, depth),
    "@if": _if,
    "@case": _case,
    "@replace": _replace,
    "@arrayPath": _array_path,
    "@merge": _merge,
    "@transform": _transform,
    "@flatten": _flatten,
    "@json": _json,
    "@excludeWhenNull": lambda random, depth: node(random, depth),
    "@liquid": _liquid,
}


# Payloads.


def payload(random: Random, fields: list[dict[str, Any]]) -> dict[str, Any]:
    """A payload for these fields: some missing, some not theirs, and most of a type that is nearly right."""
    made = {
        each["key"]: _of(random, each) for each in fields if random.random() < (0.9 if each.get("required") else 0.4)
    }
    if random.random() < 0.1:
        made[random.choice(KEYS)] = value(random, 1)
    return made


def _of(random: Random, field: dict[str, Any]) -> Any:
    if random.random() < 0.2:
        return value(random, 2)
    if field.get("multiple") and random.random() < 0.8:
        return [_one(random, field) for _ in range(random.randrange(3))]
    return _one(random, field)


def _one(random: Random, field: dict[str, Any]) -> Any:
    choices = [each["value"] if isinstance(each, dict) else each for each in field.get("choices") or []]
    if choices and random.random() < 0.8:
        return random.choice(choices)
    if field["type"] == "object":
        return payload(random, field.get("properties") or []) if random.random() < 0.8 else thing(random, 1)
    if field["type"] in ("number", "integer"):
        return random.choice((*NUMBERS, "5", "2.5", "", "x", "1e3"))
    if field["type"] == "boolean":
        return random.choice((True, False, "true", "false", 1, 0, "1", "", "yes"))
    return random.choice((*TEXTS, 5, 2.5, True))


def fields(random: Random, depth: int = 2) -> list[dict[str, Any]]:
    """Fields of an action, as definitions of the catalogue have them."""
    keys = random.sample(("a", "b", "c", "name", "price", "x-y", "email", "at"), random.randrange(1, 6))
    return [_field_of(random, key, keys, depth) for key in keys]


def _field_of(random: Random, key: str, keys: list[str], depth: int) -> dict[str, Any]:
    kinds = ["string", "string", "text", "number", "integer", "datetime", "boolean", "password", "object"]
    kind = random.choice(kinds if depth else kinds[:-1])
    made: dict[str, Any] = {"key": key, "label": key.upper(), "type": kind}
    for flag, share in (("required", 0.3), ("multiple", 0.25), ("allowNull", 0.25)):
        if random.random() < share:
            made[flag] = True
    if kind in ("string", "number") and random.random() < 0.3:
        made["choices"] = (
            ["a", "5", "ab"] if kind == "string" else [{"label": "one", "value": 1}, {"label": "five", "value": 5}]
        )
    if kind in ("string", "number") and random.random() < 0.3:
        made["minimum"], made["maximum"] = 1, 5
    if kind == "string" and random.random() < 0.3:
        made["format"] = random.choice(("email", "uri", "date", "date-time", "hostname", "ipv4", "uuid"))
    if kind == "object" and random.random() < 0.7:
        made["properties"] = fields(random, depth - 1)
        made["additionalProperties"] = random.random() < 0.4
    if depth == 2 and random.random() < 0.2:
        made["required"] = _when(random, keys)
    return made


def _when(random: Random, keys: list[str]) -> dict[str, Any]:
    conditions: list[dict[str, Any]] = []
    for _ in range(random.randrange(1, 3)):
        condition = {"fieldKey": random.choice(keys), "operator": random.choice(("is", "is_not"))}
        if random.random() < 0.7:
            condition["value"] = random.choice(("a", "5", 5, True))
        conditions.append(condition)
    return {"match": random.choice(("any", "all")), "conditions": conditions}
