"""What the promises of the store are made with: a workspace to begin with, refusals, and many at once."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final, TypeVar

from headwater.spec.errors import SenderError
from headwater.store import Store
from headwater.store import workspace as workspaces

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

T = TypeVar("T")
Promise = Callable[[Store], None]
Change = Callable[["Connection"], Any]
THREADS: Final = 6


def adding_to(promises: list[Promise]) -> Callable[[Promise], Promise]:
    """A decorator that adds each promise to these."""

    def add(check: Promise) -> Promise:
        promises.append(check)
        return check

    return add


def with_source(store: Store) -> str:
    """Make a workspace with one source and return the source's id."""
    store.run(lambda connection: workspaces.create_workspace(connection, slug="acme", name="Acme"))
    return store.run(lambda connection: workspaces.create_source(connection, slug="web", name="Web")).id


def refused(store: Store, change: Change) -> int:
    """The status with which a change is refused. Raises AssertionError when it is not."""
    try:
        store.run(change)
    except SenderError as error:
        return error.status
    raise AssertionError("The store took what it must refuse.")


def at_once(task: Callable[[], T], times: int) -> list[T]:
    """What a task returns each time, in THREADS threads."""
    with ThreadPoolExecutor(THREADS) as pool:
        return [running.result() for running in [pool.submit(task) for _ in range(times)]]
