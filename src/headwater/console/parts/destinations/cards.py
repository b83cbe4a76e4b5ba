"""Definitions of a catalogue as cards that can be searched. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape
from urllib.parse import quote
from zlib import crc32

import msgspec

from headwater.console.parts.pieces import Html, safe

_HUES = 12


class Card(msgspec.Struct, frozen=True):
    """A definition: the path below /console that leads to it, its name, sentence, categories and former names."""

    path: str
    name: str
    description: str
    categories: Sequence[str] = ()
    previous_names: Sequence[str] = ()


def initials(name: str) -> str:
    """One or two letters that stand for a name until there is a picture."""
    words = re.findall(r"\w+", name)
    letters = "".join(word[0] for word in words[:2]) if len(words) > 1 else name.strip()[:2]
    return letters[:1].upper() + letters[1:2]


def mark(name: str) -> Html:
    """The initials in a colour that the name always gets."""
    hue = crc32(name.encode()) % _HUES * 30
    return Html(f'<i class="mark" style="--hue:{hue}" aria-hidden="true">{escape(initials(name))}</i>')


def card_html(card: Card) -> str:
    """A definition as a link."""
    chips = "".join(f'<span class="chip">{escape(one)}</span>' for one in card.categories[:2])
    return (
        f'<a class="kind" href="/console{escape(quote(card.path))}">{mark(card.name)}<div><b>{safe(card.name)}</b>'
        f"<p>{safe(card.description)}</p>{chips}</div></a>"
    )


def cards_html(cards: Iterable[Card]) -> Html:
    """Definitions side by side."""
    return Html(f'<div class="kinds">{"".join(card_html(card) for card in cards)}</div>')


def find(cards: Iterable[Card], text: str, category: str) -> list[Card]:
    """Those of a category (empty for all) that hold every word of the text; those named so come first."""
    words = text.casefold().split()
    found = [one for one in cards if not category or category in one.categories]
    found = [one for one in found if all(word in _searched(one) for word in words)]
    return sorted(found, key=lambda one: (not _is_named(one, words), one.name.casefold()))


def categories(cards: Iterable[Card]) -> list[str]:
    """Every category there is, in alphabetical order."""
    return sorted({one for card in cards for one in card.categories})


def _searched(card: Card) -> str:
    return " ".join(
        (card.name, card.path.rpartition("/")[2], card.description, *card.categories, *card.previous_names)
    ).casefold()


def _is_named(card: Card, words: Sequence[str]) -> bool:
    return bool(words) and card.name.casefold().startswith(words[0])
