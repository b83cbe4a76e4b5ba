"""Lines to paste into a client, and the short names of sources."""

import json
import shlex
from html import unescape
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from headwater.console.parts.sources.new import slug_of
from headwater.console.parts.sources.snippets import TLS_ONLY, browser_snippet, first_for, snippets, tracking_address
from headwater.console.parts.sparkline import sparkline
from headwater.manage.kinds import KINDS

PLAIN = "http://127.0.0.1:8080"
SECURE = "https://events.example.com"


@pytest.mark.parametrize(
    ("public_url", "host", "scheme", "address"),
    [
        ("", "localhost", "http", "http://localhost:8080"),
        ("", "::1", "http", "http://[::1]:8080"),
        ("", "cdp.example.com", "https", "https://cdp.example.com:8080"),
        (SECURE, "localhost", "http", SECURE),
    ],
)
def test_clients_send_to_the_address_that_is_set_or_else_to_the_host_of_the_browser(
    public_url: str, host: str, scheme: str, address: str
) -> None:
    assert tracking_address(public_url, host, scheme, 8080) == address


@pytest.mark.parametrize("address", [PLAIN, SECURE])
def test_every_client_is_told_the_address_and_the_key(address: str) -> None:
    for one in snippets(address, "KEY123"):
        assert "KEY123" in one.code
        assert (urlsplit(address).hostname or "") in one.code


def test_clients_that_speak_https_alone_say_so_where_the_house_does_not() -> None:
    told = {one.name for one in snippets(PLAIN, "k") if one.remark == TLS_ONLY}
    assert told == {"Ruby", "PHP", "Swift", "Kotlin"}
    assert not any(one.remark for one in snippets(SECURE, "k"))


def test_a_key_cannot_end_the_script_or_the_word_that_it_stands_in() -> None:
    key = "a</script>'\"$(x)"
    found = {one.name: one.code for one in snippets(PLAIN, key)}
    assert found["Browser"].count("</script>") == 1
    assert shlex.split(found["curl"])[3] == f"{key}:"
    assert json.dumps(key) in found["Python"]


def test_the_lines_for_a_page_are_those_of_the_documentation() -> None:
    written = (Path(__file__).parents[3] / "docs" / "how-to" / "browser.md").read_text()
    assert f"```html\n{browser_snippet('http://127.0.0.1:8080', 'YOUR_WRITE_KEY')}\n```" in written


def test_the_pixel_is_an_image_with_a_call_in_its_address() -> None:
    code = {one.name: one.code for one in snippets(PLAIN, "k&1")}["Pixel"]
    source = unescape(code.split('"')[1])
    assert urlsplit(source).path == "/v1/pixel/track"
    assert parse_qs(urlsplit(source).query)["writeKey"] == ["k&1"]


def test_every_kind_of_source_begins_with_a_client_that_is_there() -> None:
    found = snippets(PLAIN, "k")
    names = {one.name for one in found}
    assert all(first_for(kind, found) in names for kind in KINDS)
    assert first_for("python", found) == "Python"
    assert first_for("javascript", found) == "Browser"
    assert first_for("of another time", found) == "curl"


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("My Web Shop", "my-web-shop"),
        ("Köln & Größe", "koln-grosse"),
        ("名前", ""),
        ("a" * 200, "a" * 100),
        ("--x--", "x"),
    ],
)
def test_a_short_name_is_made_of_plain_letters(name: str, slug: str) -> None:
    assert slug_of(name) == slug


def test_a_sparkline_has_a_bar_for_each_value_and_says_what_it_shows() -> None:
    drawn = sparkline([0, 5, 10], "Events <by> the hour")
    assert drawn.count("<rect") == 3
    assert 'height="20"/>' in drawn
    assert "Events &lt;by&gt; the hour" in drawn
    assert sparkline([], "nothing").count("<rect") == 0
