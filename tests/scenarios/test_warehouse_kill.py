"""The role is killed at any instant, again and again, and no event is lost, archived twice or loaded twice."""

import asyncio
import random
import subprocess
import sys
import time
from collections.abc import Generator
from pathlib import Path
from urllib.parse import urlparse

import psycopg
import pytest
from warehouse_house import House, event

from headwater.contracts.postgres import WHY_NOT, postgres_server
from headwater.contracts.shape import open_kept_log
from headwater.warehouse.loop import group_of

EVENTS = 3_000
KILLS = 6

ROLE = """
import asyncio, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from warehouse_house import SETTINGS
from headwater.contracts.shape import open_kept_log, open_store
from headwater.store.secrets import Secrets
from headwater.store.snapshot import Snapshot
from headwater.warehouse import loop, reading

reading._CHUNK_RECORDS = 150

async def main(folder):
    store = open_store(folder)
    print("up", flush=True)
    await loop.warehouse(
        log=open_kept_log(folder), store=store, snapshot=await Snapshot.take(store),
        secrets=Secrets.from_file(folder / "secret.key"), settings=SETTINGS, folder=folder, stopping=asyncio.Event(),
    )

asyncio.run(main(Path(sys.argv[1])))
"""


@pytest.fixture(scope="module")
def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    with postgres_server(tmp_path_factory.mktemp("server")) as url:
        if url is None:
            pytest.skip(WHY_NOT)
        yield url


def run_and_kill(folder: Path, seconds: float) -> None:
    role = subprocess.Popen(
        [sys.executable, "-c", ROLE, str(folder), str(Path(__file__).parent)], stdout=subprocess.PIPE
    )
    assert role.stdout is not None
    assert role.stdout.readline() == b"up\n"
    time.sleep(seconds)
    role.kill()
    role.wait()
    role.stdout.close()


def bodies() -> list[dict[str, object]]:
    tracks = [event(f"m{number}", properties={f"p{number % 40}": number}) for number in range(EVENTS - 300)]
    people = [
        event(f"i{number}", type="identify", event=None, userId=f"u{number % 50}", traits={"visits": number})
        for number in range(300)
    ]
    return [*tracks[:1000], *people, *tracks[1000:]]


def test_nothing_is_lost_and_nothing_is_doubled(tmp_path: Path, postgres_url: str) -> None:
    async def prepare() -> tuple[House, str]:
        house = House(tmp_path, open_kept_log(tmp_path))
        main = house.add_warehouse()
        parts = urlparse(postgres_url)
        address = {"host": parts.hostname, "port": parts.port, "database": parts.path[1:], "username": parts.username}
        house.add_warehouse("postgres", "Other", **address)
        await house.publish(*bodies())
        await house.log.close()
        return house, main

    house, main = asyncio.run(prepare())
    chance = random.Random(7)
    for _ in range(KILLS):
        run_and_kill(tmp_path, chance.uniform(0.3, 1.6))

    async def finish() -> None:
        house.log = open_kept_log(tmp_path)
        groups = [group_of(one.id) for one in house.warehouses()]
        await house.work(house.caught_up("archive", *groups))
        counts = "select count(*), count(distinct message_id), min(position), max(position) from events"
        assert (await house.query(counts)).rows == [[EVENTS, EVENTS, 0, EVENTS - 1]]
        await house.log.close()

    asyncio.run(finish())
    tracks = "SELECT count(*), count(DISTINCT id) FROM my_site.tracks"
    details = "SELECT count(*), count(DISTINCT id) FROM my_site.order_completed"
    people = "SELECT count(*), count(DISTINCT id), min(visits), max(visits) FROM my_site.users"
    assert house.rows(main, tracks) == house.rows(main, details) == [(EVENTS - 300, EVENTS - 300)]
    assert house.rows(main, people) == [(50, 50, 250, 299)]
    with psycopg.connect(postgres_url) as connection:
        assert connection.execute(tracks).fetchall() == [(EVENTS - 300, EVENTS - 300)]
        assert connection.execute(details).fetchall() == [(EVENTS - 300, EVENTS - 300)]
        assert connection.execute(people).fetchall() == [(50, 50, 250, 299)]
