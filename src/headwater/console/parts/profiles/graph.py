"""The identity graph of one profile as a picture: the profiles that are one, and the identifiers given to each. Pure.

Profiles stand below one another, the one whose id was kept first, each beside its identifiers; merges are arcs between
profiles. So the picture is the same every time, and legible with many identifiers, unlike one that places itself.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any, Final

import msgspec

from headwater.manage.operations.profiles import GetProfileAnswer
from headwater.manage.people import IdentifierShape, MergeShape

MOST_PROFILES: Final = 20
MOST_IDENTIFIERS: Final = 60
_ROW: Final = 30
_LONGEST: Final = 80
_NO_TIP: Final = {"tooltip": {"show": False}}

Edge = IdentifierShape | MergeShape
Node = IdentifierShape | str


class Drawing(msgspec.Struct):
    """What the chart library is told, how high it is (px), and what each edge and node stands for, in its order.

    A node is an identifier, or a profile by its id. What is not drawn is counted.
    """

    options: dict[str, Any]
    height: int
    edges: list[Edge]
    nodes: list[Node]
    left_out: tuple[int, int]


class _Canvas:
    """Nodes and edges as they are placed, from top to bottom."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.edges: list[Edge] = []
        self.places: list[dict[str, Any]] = []
        self.lines: list[dict[str, Any]] = []
        self.of: dict[str, int] = {}
        self.rows = 0

    def add(self, id: str, given: list[IdentifierShape], *, is_kept: bool) -> None:
        """A profile and what was given to it."""
        here = self.of[id] = len(self.nodes)
        self.nodes.append(id)
        self.places.append(_profile(id, self.rows + max(0, len(given) - 1) / 2, is_kept=is_kept))
        for one in given:
            style = {"color": "var(--line)"}
            self.lines.append({"source": here, "target": len(self.nodes), "lineStyle": style, **_NO_TIP})
            self.edges.append(one)
            self.nodes.append(one)
            self.places.append(_identifier(one, self.rows))
            self.rows += 1
        self.rows += max(0, 1 - len(given)) + 1

    def join(self, merge: MergeShape, left: str, right: str) -> None:
        """A merge between two profiles that are drawn."""
        if left not in self.of or right not in self.of or left == right:
            return
        low, high = sorted((self.of[left], self.of[right]))
        style = {"color": "var(--warn)", "width": 3, "curveness": -0.5}
        self.lines.append({"source": low, "target": high, "lineStyle": style, **_NO_TIP})
        self.edges.append(merge)


def draw(profile: GetProfileAnswer) -> Drawing:
    """Draw a profile. Of many identifiers each profile shows its oldest."""
    given: defaultdict[str, list[IdentifierShape]] = defaultdict(list)
    for one in profile.identifiers:
        given[one.profile_id].append(one)
    ids = [profile.id, *(id for id in profile.profiles if id != profile.id)]
    shown = ids[:MOST_PROFILES]
    each = max(2, MOST_IDENTIFIERS // len(shown))
    canvas = _Canvas()
    for id in shown:
        canvas.add(id, given[id][:each], is_kept=id == profile.id)
    owners = {one.identifier: one.profile_id for one in profile.identifiers}
    for merge in profile.merges:
        if merge.undone_at is None:
            sides = (owners.get(merge.left, merge.survivor_id), owners.get(merge.right, merge.merged_id))
            canvas.join(merge, *sides)
    drawn = len(canvas.nodes) - len(shown)
    return Drawing(
        _options(canvas),
        (canvas.rows - 1) * _ROW + 24,
        canvas.edges,
        canvas.nodes,
        (len(ids) - len(shown), len(profile.identifiers) - drawn),
    )


def _profile(id: str, row: float, *, is_kept: bool) -> dict[str, Any]:
    colour = "var(--accent)" if is_kept else "var(--paper)"
    return {
        "name": id,
        "value": [0, row],
        "symbolSize": 22,
        "itemStyle": {"color": colour, "borderColor": "var(--accent)", "borderWidth": 2},
        "label": {
            "show": True,
            "position": "top",
            "offset": [17, 3],
            "formatter": f"…{id[-5:]}",
            "color": "var(--soft)",
            "fontSize": 10,
        },
    }


def _identifier(one: IdentifierShape, row: int) -> dict[str, Any]:
    return {
        "name": one.identifier[:_LONGEST],
        "value": [1, row],
        "symbolSize": 9,
        "itemStyle": {"color": "var(--soft)"},
        "label": {"show": True, "position": "right", "color": "var(--ink)", "fontSize": 12.5},
    }


def _options(canvas: _Canvas) -> dict[str, Any]:
    label = {"width": 290, "overflow": "truncate", "lineHeight": 14}
    return {
        "animation": False,
        "textStyle": {"fontFamily": "system-ui, sans-serif"},
        "grid": {"left": 70, "right": "62%", "top": 16, "bottom": 6},
        "xAxis": {"type": "value", "min": 0, "max": 1, "show": False},
        "yAxis": {"type": "value", "min": -0.5, "max": max(1, canvas.rows - 1) - 0.3, "inverse": True, "show": False},
        "tooltip": {
            "confine": True,
            "backgroundColor": "var(--paper)",
            "borderColor": "var(--line)",
            "textStyle": {"color": "var(--ink)", "fontSize": 12},
            "formatter": "{b}",
        },
        "series": [
            {
                "type": "graph",
                "coordinateSystem": "cartesian2d",
                "layout": "none",
                "data": canvas.places,
                "links": canvas.lines,
                "label": label,
                "lineStyle": {"width": 2, "opacity": 1},
                "emphasis": {"lineStyle": {"color": "var(--accent)", "width": 4}},
                "cursor": "pointer",
            }
        ],
    }
