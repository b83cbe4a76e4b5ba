"""What strangers write into headers is not kept in memory beyond a bound."""

import asyncio
import tracemalloc

from collect_doubles import Api, basic

from headwater.collect.addresses import plain_address
from headwater.collect.write_keys import key_in_header


def test_headers_of_strangers_do_not_stay_in_memory() -> None:
    async def run(api: Api, first: int, last: int) -> None:
        for number in range(first, last):
            long = f"{number}" * 5_000
            headers: dict[str, str | list[str]] = {"origin": long, "access-control-request-headers": long}
            await api.send("/v1/track", method="OPTIONS", headers=headers)
            key_in_header(basic(long))
            plain_address(long)

    api = Api()
    asyncio.run(run(api, 1_000, 1_010))
    tracemalloc.start()
    try:
        asyncio.run(run(api, 1_010, 1_110))
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 2_000_000


def test_a_write_key_is_found_in_a_long_header_too() -> None:
    assert key_in_header(basic("k1", "p" * 5_000)) == "k1"


def test_a_page_with_an_absurd_origin_is_answered_like_one_without() -> None:
    headers: dict[str, str | list[str]] = {"origin": "x" * 600}
    answer = asyncio.run(Api().send("/v1/track", method="OPTIONS", headers=headers))
    assert (answer.status, answer.headers["access-control-allow-origin"]) == (204, "*")
