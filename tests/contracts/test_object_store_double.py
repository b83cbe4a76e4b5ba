"""The object store for tests: an archive writes, reads and lists there, and finds its files after an outage."""

from pathlib import Path

import pytest

from headwater.contracts.object_store import WHY_NOT, object_store
from headwater.warehouse.files import ArchivePlace, open_files


def test_an_archive_in_a_bucket_outlives_an_outage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with object_store() as store:
        if store is None:
            pytest.skip(WHY_NOT)
        for name, value in store.environment.items():
            monkeypatch.setenv(name, value)
        files = open_files(ArchivePlace(str(tmp_path), f"{store.url}/archive"))
        files.write("day=1/a.parquet", b"content")
        store.stop()
        with pytest.raises(OSError):
            files.write("day=1/b.parquet", b"lost")
        store.start()
        assert files.sizes() == {"day=1/a.parquet": 7}
        assert files.read("day=1/a.parquet") == b"content"
        files.remove("day=1/a.parquet")
        files.remove("day=1/a.parquet")
        assert files.sizes() == {}
