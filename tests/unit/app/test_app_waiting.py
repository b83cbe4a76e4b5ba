"""What is away is waited for; what is set wrongly is an error at once."""

from pathlib import Path

import psycopg
import pytest
from sqlalchemy.exc import OperationalError

from headwater.app.house import require_keys
from headwater.app.waiting import Waiting, place_of, prepared, understood
from headwater.spec.errors import SetupError, Unavailable
from headwater.spec.settings import LogSettings, Settings, StoreSettings

AWAY = Settings(store=StoreSettings(url="postgresql://headwater@127.0.0.1:1/headwater"))


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ('connection to server at "db" failed: Connection refused\n\tIs the server running?', Unavailable),
        ("failed to resolve host 'db': Name or service not known", Unavailable),
        ('connection to server at "db" failed: FATAL:  the database system is starting up', Unavailable),
        ('connection to server at "db" failed: FATAL:  sorry, too many clients already', Unavailable),
        ('connection to server at "db" failed: FATAL:  password authentication failed for user "h"', SetupError),
        ('connection to server at "db" failed: FATAL:  database "headwater" does not exist', SetupError),
        ('connection to server at "db" failed: fe_sendauth: no password supplied', SetupError),
    ],
)
def test_a_database_that_refuses_us_is_told_from_one_that_is_away(said: str, kind: type[Exception]) -> None:
    def work() -> None:
        raise OperationalError("", {}, psycopg.OperationalError(said))

    with pytest.raises(kind):
        understood(work)


def test_waits_grow_and_there_is_nothing_to_wait_for_on_one_machine() -> None:
    waiting = Waiting(AWAY)
    away = Unavailable("the store is away")
    assert [waiting.seconds(away) for _ in range(6)] == [0.5, 1.0, 2.0, 4.0, 5.0, 5.0]
    with pytest.raises(Unavailable):
        Waiting(Settings()).seconds(away)


def test_where_an_engine_is_told_without_its_password() -> None:
    assert place_of("postgresql+psycopg://me:hush@db:5432/headwater") == "postgresql://db:5432/headwater"


def test_a_role_that_opens_secrets_does_not_run_without_the_keys_of_its_house(tmp_path: Path) -> None:
    settings = Settings(data=str(tmp_path), store=AWAY.store)
    require_keys(settings, ["collect", "pipeline", "profiles"])
    with pytest.raises(SetupError, match=r"role deliver needs the keys.*Copy secret\.key"):
        require_keys(settings, ["pipeline", "deliver"])
    require_keys(Settings(data=str(tmp_path)), ["deliver"])


@pytest.mark.parametrize(
    "url", ["kafka:/here", "kafka://", "kafka://u:p@here/x", "kafka://here/a b", "nats://here", "here:9092"]
)
def test_a_log_that_is_none_is_an_error_before_anything_is_made(url: str, tmp_path: Path) -> None:
    with pytest.raises(SetupError, match=r"log\.url") as raised:
        prepared(Settings(data=str(tmp_path / "data"), log=LogSettings(url=url)))
    assert "u:p" not in str(raised.value)
    assert not (tmp_path / "data").exists()


def test_a_property_of_kafka_that_is_none_is_not_shown_as_it_may_be_a_password(tmp_path: Path) -> None:
    log = LogSettings(url="kafka://here", kafka=("sasl.username=u", "sasl.password:hush"))
    with pytest.raises(SetupError, match="name=value") as raised:
        prepared(Settings(data=str(tmp_path), log=log))
    assert "hush" not in str(raised.value)
