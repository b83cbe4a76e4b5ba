"""The PostgreSQL server for tests: what was committed outlives a stop and a kill, and the address stays."""

from pathlib import Path

import psycopg
import pytest

from headwater.contracts.postgres import WHY_NOT, postgres


def test_what_was_committed_outlives_a_stop_and_a_kill(tmp_path: Path) -> None:
    with postgres(tmp_path) as server:
        if server is None:
            pytest.skip(WHY_NOT)
        with psycopg.connect(server.url) as connection:
            connection.execute("CREATE TABLE kept (number int)")
        for end in (server.stop, server.kill):
            with psycopg.connect(server.url) as connection:
                connection.execute("INSERT INTO kept VALUES (1)")
                connection.commit()
                end()
                with pytest.raises(psycopg.OperationalError):
                    connection.execute("SELECT 1")
            with pytest.raises(psycopg.OperationalError):
                psycopg.connect(server.url)
            server.start()
        with psycopg.connect(server.make("copy", template="headwater")) as connection:
            assert connection.execute("SELECT count(*) FROM kept").fetchone() == (2,)
        server.drop("copy")
