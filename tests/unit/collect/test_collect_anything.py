"""Whatever arrives is answered as the contract says, and leaves a record that the pipeline can unpack."""

import asyncio
import json

from collect_doubles import Api, basic
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.collect.addresses import Proxies
from headwater.collect.write_keys import key_in_header
from headwater.pipeline.unpack import unpack

VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
FIELDS = st.sampled_from(["userId", "anonymousId", "event", "batch", "writeKey", "context", "groupId", "previousId"])


def json_like(value: object) -> bytes:
    """As a careless client writes it: with NaN, lone surrogates and raw text."""
    return json.dumps(value, ensure_ascii=False).encode(errors="surrogatepass")


BODIES = st.binary(max_size=200) | st.dictionaries(FIELDS, VALUES, max_size=6).map(json_like) | VALUES.map(json_like)
PATHS = st.sampled_from(["/v1/track", "/v1/i", "/v1/g", "/v1/alias", "/v1/batch", "/v1/b", "/v1/import/"])


@settings(max_examples=300, deadline=None)
@given(path=PATHS, body=BODIES, partitions=st.sampled_from([1, 4]))
def test_any_body_is_answered_200_or_400_and_recorded(path: str, body: bytes, partitions: int) -> None:
    async def run() -> None:
        api = Api(partitions=partitions)
        answer = await api.send(path, body, headers={"authorization": basic("k1")})
        kept = [found for partition in range(partitions) for found in await api.kept(partition)]
        assert answer.status in (200, 400)
        assert kept
        if answer.status == 400:
            assert kept[0][0].refused == answer.json["code"]
        for header, record in kept:
            assert unpack(header, record.value)

    asyncio.run(run())


@settings(max_examples=200, deadline=None)
@given(query=st.text(max_size=200) | st.binary(max_size=100).map(lambda data: "data=" + data.hex()))
def test_any_query_is_answered_with_the_image_and_recorded(query: str) -> None:
    async def run() -> None:
        api = Api()
        answer = await api.send("/v1/pixel/track", method="GET", query_string=query)
        assert (answer.status, answer.headers["content-type"]) == (200, "image/gif")
        assert len(await api.kept()) == 1

    asyncio.run(run())


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=60) | st.text(max_size=60).map("Basic {}".format))
def test_any_authorization_header_is_read(text: str) -> None:
    assert isinstance(key_in_header(text), str)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.text(alphabet="0123456789abcdef.:[], %x", max_size=40), max_size=3))
def test_any_forwarded_header_gives_an_address(lines: list[str]) -> None:
    assert Proxies(["10.0.0.0/8", "fd00::/8"]).client("10.0.0.1", lines)
