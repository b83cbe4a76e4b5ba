"""analytics.js as collect serves it: its paths, encodings, caching, and how small it is."""

import asyncio
import gzip
import json
from typing import Any

import pytest
from collect_doubles import Answered, Api

from headwater.collect.script import script

PATH = "/analytics.js/v1/k1/analytics.min.js"
MOST_BYTES = 8_192


def get(path: str, *, method: str = "GET", **headers: Any) -> Answered:
    lines = {name.replace("_", "-"): value for name, value in headers.items()}
    return asyncio.run(Api().send(path, method=method, headers=lines))


def test_the_script_is_under_8_kb_on_the_wire() -> None:
    answer = get(PATH, accept_encoding="gzip, deflate, br, zstd")
    assert answer.headers["content-encoding"] == "gzip"
    assert len(answer.body) < MOST_BYTES
    assert gzip.decompress(answer.body) == get(PATH).body


@pytest.mark.parametrize("accepted", ["", "identity", "gzip;q=0", "br, gzip; q=0.0, deflate", "gzipped"])
def test_who_does_not_take_gzip_gets_plain_text(accepted: str) -> None:
    answer = get(PATH, accept_encoding=accepted)
    assert "content-encoding" not in answer.headers
    assert b"analytics" in answer.body
    assert answer.headers["vary"] == "Accept-Encoding"


def test_the_script_is_the_same_for_every_source_and_under_both_names() -> None:
    bodies = {
        get(f"/analytics.js/v1/{key}/{file}").body
        for key in ("k1", "k2", "k-off")
        for file in ("analytics.js", "analytics.min.js")
    }
    assert len(bodies) == 1


def test_any_page_may_read_the_script() -> None:
    answer = get(PATH, origin="https://shop.example")
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["content-type"] == "text/javascript; charset=utf-8"


def test_the_plain_path_is_kept_for_minutes_and_the_versioned_one_for_a_year() -> None:
    version = script("analytics.min.js").version
    assert get(PATH).headers["cache-control"] == "public, max-age=300"
    pinned = get(f"/analytics.js/v1/k1/{version}/analytics.min.js")
    assert pinned.headers["cache-control"] == "public, max-age=31536000, immutable"


def test_a_page_that_names_an_older_version_gets_this_one_for_minutes() -> None:
    answer = get("/analytics.js/v1/k1/0.0.1-abc/analytics.min.js")
    assert (answer.status, answer.headers["cache-control"]) == (200, "public, max-age=300")


def test_a_script_that_is_known_is_not_sent_again() -> None:
    etag = get(PATH).headers["etag"]
    again = get(PATH, if_none_match=etag)
    assert (again.status, again.body, again.headers["etag"]) == (304, b"", etag)


@pytest.mark.parametrize(
    "path",
    [
        "/analytics.js/v1/nobody/analytics.min.js",
        "/analytics.js/v1/k1/other.js",
        "/analytics.js/v1/k1/../settings.py",
        "/analytics.js/v1/k1/1/2/analytics.min.js",
        "/analytics.js/v1//analytics.min.js",
        "/analytics.js/v1/analytics.min.js",
        "/analytics-next/bundles/queryString.bundle.js",
    ],
)
def test_what_is_not_there_is_404(path: str) -> None:
    assert get(path).status == 404


def test_other_methods_are_told_what_to_use() -> None:
    assert get(PATH, method="HEAD").headers["etag"] == get(PATH).headers["etag"]
    assert get(PATH, method="OPTIONS").status == 204
    refused = get(PATH, method="POST")
    assert (refused.status, refused.headers["allow"]) == (405, "GET, HEAD, OPTIONS")


def test_the_map_leads_to_the_readable_source() -> None:
    assert get(PATH).body.rstrip().endswith(b"//# sourceMappingURL=analytics.min.js.map")
    chart = json.loads(get(f"{PATH}.map").body)
    assert chart["sources"] == ["analytics.js"]
    assert "Segment's browser library" in chart["sourcesContent"][0]


def test_the_script_evaluates_no_text_and_writes_no_markup() -> None:
    source = json.loads(get(f"{PATH}.map").body)["sourcesContent"][0]
    for danger in (
        "eval(",
        "new Function",
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "setTimeout('",
    ):
        assert danger not in source
