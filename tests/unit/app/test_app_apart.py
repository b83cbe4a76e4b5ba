"""What is refused at the start, because it would seem to work while roles on other hosts see nothing of it."""

import pytest

from headwater.app.apart import apart
from headwater.app.shapes import ROLE_NAMES
from headwater.spec.errors import SetupError
from headwater.spec.settings import LogSettings, Settings, StoreSettings, WarehouseSettings
from headwater.warehouse.engines import usable

KAFKA = LogSettings(url="kafka://k1:9092/headwater")
POSTGRES = StoreSettings(url="postgresql://u@db/headwater")


@pytest.mark.parametrize(
    ("settings", "roles", "said"),
    [
        (Settings(log=KAFKA), ["pipeline"], "store.url"),
        (Settings(log=KAFKA, store=StoreSettings(url="sqlite:///x")), ["collect"], "postgresql://"),
        (Settings(log=KAFKA, store=POSTGRES), ["warehouse"], "warehouse.archive_url"),
        (Settings(log=KAFKA, store=POSTGRES), ["collect", "manage"], "s3://bucket/prefix"),
    ],
)
def test_what_only_this_host_sees_is_refused_with_what_to_do(settings: Settings, roles: list[str], said: str) -> None:
    with pytest.raises(SetupError, match=said):
        apart(settings, roles)


@pytest.mark.parametrize("url", ["s3://bucket/x", "file:///mnt/archive"])
def test_roles_apart_have_no_warehouse_in_a_file(url: str) -> None:
    settings = apart(Settings(log=KAFKA, store=POSTGRES, warehouse=WarehouseSettings(archive_url=url)), ["warehouse"])
    assert (settings.warehouse.duckdb, settings.warehouse.default_duckdb) == (False, False)
    with pytest.raises(SetupError, match="other hosts"):
        usable("duckdb", settings.warehouse)
    assert usable("postgres", settings.warehouse).name
    assert usable("duckdb", WarehouseSettings()).name


def test_one_host_may_have_everything_in_its_folder() -> None:
    for settings, roles in (
        (Settings(), ["manage"]),
        (Settings(log=KAFKA), list(ROLE_NAMES)),
        (Settings(log=KAFKA, store=POSTGRES), ["collect"]),
    ):
        assert apart(settings, roles).log == settings.log
