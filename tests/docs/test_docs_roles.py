"""The page about people lists the roles as the code has them."""

import re
from pathlib import Path

from headwater.spec.roles import ROLES

PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "people.md").read_text()


def test_the_table_of_roles_is_that_of_the_code() -> None:
    rows = re.findall(r"^\| `([a-z-]+)` \| (.+?) \| (.+?) \|$", PAGE, re.MULTILINE)
    assert rows == [(role.id, role.name, role.sentence) for role in ROLES.values()]
