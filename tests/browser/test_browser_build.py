"""The committed analytics.min.js is what its readable source makes."""

from pathlib import Path

import pytest
from browser_house import build, packages


@pytest.mark.parametrize("product", build.PRODUCTS)
def test_the_committed_file_is_not_stale(product: str, tmp_path: Path) -> None:
    packages()
    build.build(tmp_path)
    committed = (build.SOURCE.parent / product).read_bytes()
    assert committed == (tmp_path / product).read_bytes(), "run `make browser`"


def test_the_lock_names_no_registry() -> None:
    assert "resolved" not in (build.HERE / "package-lock.json").read_text()
