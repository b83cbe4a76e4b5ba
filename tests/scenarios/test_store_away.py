"""What is said of a database server that is not there."""

import logging
import socket

import pytest

from headwater.spec.errors import Unavailable
from headwater.store import Store


def test_where_the_database_is_stands_in_the_log_and_not_in_the_answer(caplog: pytest.LogCaptureFixture) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        store = Store(f"postgresql+psycopg://keeper:secret@127.0.0.1:{nobody.getsockname()[1]}/house")
        with caplog.at_level(logging.WARNING, "headwater.store"), pytest.raises(Unavailable) as away:
            store.run(lambda connection: None)
        store.close()
    assert "127.0.0.1" not in str(away.value)
    assert "127.0.0.1" in caplog.text
    assert "secret" not in caplog.text
