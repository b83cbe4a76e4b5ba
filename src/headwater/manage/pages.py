"""The page that needs no token and loads nothing: a list of the operations."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from headwater.manage.operation import Operation

POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
"""The content security policy of this page: styles of its own and nothing else."""

_STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8888; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-weight: 600; } h2 { margin-top: 2.5rem; font-size: 1.1rem; }
table { border-collapse: collapse; width: 100%; }
td { border-top: 1px solid var(--line); padding: .4rem .8rem .4rem 0; vertical-align: top; }
code { font-family: ui-monospace, monospace; font-size: .9em; } small { opacity: .75; }
"""


def docs(operations: Mapping[str, Operation]) -> str:
    """Every operation with its path, scope and sentence, by tag."""
    by_tag: dict[str, list[Operation]] = {}
    for one in operations.values():
        by_tag.setdefault(one.tag, []).append(one)
    parts = [
        f"<h2>{escape(tag)}</h2><table>{''.join(_row(one) for one in by_tag[tag])}</table>" for tag in sorted(by_tag)
    ]
    return _page("Operations", '<p>The same as <a href="/openapi.json">OpenAPI</a>.</p>' + "".join(parts))


def _row(one: Operation) -> str:
    sentence = escape(one.sentence.splitlines()[0])
    return (
        f"<tr><td><code>{one.method}&nbsp;{escape(one.path)}</code><br><small>{escape(one.wire_name)}</small></td>"
        f"<td>{sentence}<br><small>{escape(one.needs)}</small></td></tr>"
    )


def _page(title: str, body: str) -> str:
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>"
        f"<body><h1>{escape(title)}</h1>{body}</body></html>"
    )
