"""Fills `context.referrer` from the address of the page before (`context.page.referrer`; contract: connections 2.3).

The kind of place is read off a short table of well-known hosts; a host that it does not know is a `link`. Apps refer
by `android-app://`, with the package as host. A referrer of the sender's, even one with an id alone, stays as it is.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import cast

from headwater.pipeline.enrich import Assets, Enrich, EnrichmentDefinition
from headwater.spec.event import Event
from headwater.spec.wire import JSON

_PLACES = {
    "search": {
        "AOL": "search.aol.com",
        "Baidu": "baidu.com",
        "Bing": "bing.com",
        "Brave Search": "search.brave.com",
        "DuckDuckGo": "duckduckgo.com com.duckduckgo.mobile.android",
        "Ecosia": "ecosia.org",
        "Google": "com.google.android.googlequicksearchbox",
        "Kagi": "kagi.com",
        "Naver": "search.naver.com",
        "Qwant": "qwant.com",
        "Seznam": "search.seznam.cz",
        "Sogou": "sogou.com",
        "Startpage": "startpage.com",
        "Yahoo": "search.yahoo.com search.yahoo.co.jp",
        "Yandex": "ya.ru",
    },
    "social": {
        "Bluesky": "bsky.app",
        "Discord": "discord.com",
        "Facebook": "facebook.com fb.com fb.me com.facebook.katana",
        "GitHub": "github.com",
        "Hacker News": "news.ycombinator.com",
        "Instagram": "instagram.com com.instagram.android",
        "LinkedIn": "linkedin.com lnkd.in com.linkedin.android",
        "Mastodon": "mastodon.social",
        "Pinterest": "pinterest.com pinterest.co.uk pinterest.de pinterest.fr com.pinterest",
        "Quora": "quora.com",
        "Reddit": "reddit.com redd.it com.reddit.frontpage",
        "Slack": "slack.com com.slack",
        "Snapchat": "snapchat.com",
        "Stack Overflow": "stackoverflow.com",
        "Telegram": "telegram.org t.me org.telegram.messenger",
        "Threads": "threads.net threads.com",
        "TikTok": "tiktok.com",
        "VK": "vk.com",
        "WhatsApp": "whatsapp.com wa.me com.whatsapp",
        "X": "x.com twitter.com t.co com.twitter.android",
        "YouTube": "youtube.com youtu.be com.google.android.youtube",
    },
    "email": {
        "Fastmail": "app.fastmail.com",
        "GMX": "gmx.net gmx.com",
        "Gmail": "mail.google.com com.google.android.gm",
        "Outlook": "outlook.live.com outlook.office.com outlook.office365.com com.microsoft.office.outlook",
        "Proton Mail": "mail.proton.me",
        "Yahoo Mail": "mail.yahoo.com mail.yahoo.co.jp",
        "Zoho Mail": "mail.zoho.com",
    },
    "assistant": {
        "ChatGPT": "chatgpt.com chat.openai.com",
        "Claude": "claude.ai",
        "Copilot": "copilot.microsoft.com",
        "Gemini": "gemini.google.com",
        "Perplexity": "perplexity.ai",
    },
}
_KNOWN = {
    host: (kind, name) for kind, known in _PLACES.items() for name, hosts in known.items() for host in hosts.split()
}
_NATIONAL = re.compile(r"(google|yandex)\.(?:com|[a-z]{2}|com?\.[a-z]{2})")
_HOST = re.compile(r"(?:https?|android-app)://(?:[^/?#@]*+@)?(\[[0-9a-f:.]+\]|[^/?#@:\[\]\s]+)", re.IGNORECASE)
_LONGEST_ORIGIN = 512
_LONGEST_URL = 2_048


def _build(_assets: Assets) -> Enrich:
    return _add


def _add(event: Event) -> None:
    context = event.body["context"]
    page = context.get("page")
    if not isinstance(page, dict):
        return
    place = cast("dict[str, JSON]", page)
    url = place.get("referrer")
    if not isinstance(url, str) or not url or context.get("referrer") not in (None, {}):
        return
    host = _host(url[:_LONGEST_ORIGIN])
    if host:
        here = place.get("url")
        internal = isinstance(here, str) and host == _host(here[:_LONGEST_ORIGIN])
        kind, name = ("internal", host) if internal else classify(host)
        referrer = {"type": kind, "name": name}
        if len(url) <= _LONGEST_URL:
            referrer["url"] = url
        context["referrer"] = referrer


@lru_cache(maxsize=20_000)
def _host(url: str) -> str:
    """The host of an address in lower case and without www, or nothing."""
    found = _HOST.match(url)
    return found[1].lower().removeprefix("www.") if found and len(found[1]) <= 253 else ""


@lru_cache(maxsize=20_000)
def classify(host: str) -> tuple[str, str]:
    """The kind of place that a host is, and its name: that of the nearest known host at or above it."""
    national = _NATIONAL.fullmatch(host)
    if national:
        return "search", national[1].capitalize()
    known, parent = host, host
    while parent:
        if parent in _KNOWN:
            return _KNOWN[parent]
        parent = parent.partition(".")[2]
    return "link", known


definition = EnrichmentDefinition(
    name="referrer",
    description="Says what kind of place the visitor came from, by the address of the page before.",
    reads=("context.page.referrer", "context.page.url"),
    adds=(
        ("context.referrer.type", "search, social, email, assistant, internal (the same host), or link for any other."),
        ("context.referrer.name", "The place's name, such as Google, or its host."),
        ("context.referrer.url", "The address as the page gave it."),
    ),
    build=_build,
)
