"""Uploads in the store: what is kept of them, for how long, and which of them nobody goes on with."""

import msgspec

from headwater.spec.csv_upload import CSV_UPLOADS, MAX_LISTED, CsvUpload, Flaw
from headwater.store import Store, csv_uploads, leases
from headwater.store import workspace as workspaces

DAY = 86_400_000
NOW = 1_795_000_000_000


def made(store: Store) -> CsvUpload:
    store.run(lambda connection: workspaces.create_workspace(connection, slug="w", name="W"))
    space = store.run(lambda connection: workspaces.create_space(connection, slug="people", name="People"))
    wanted = CsvUpload(
        id="csv_1",
        space_id=space.id,
        name="people.csv",
        size=9,
        digest="d",
        state="taken",
        rows=3,
        taken=2,
        discarded={"no_identifier": 1},
        flaws=[Flaw("None of its identifiers has a value.", 2)],
        created_by="tok",
        created_at=NOW,
        ended_at=NOW + 5,
    )
    store.run(lambda connection: csv_uploads.keep(connection, wanted))
    return wanted


def listed(store: Store, space_id: str, now: int = NOW) -> list[CsvUpload]:
    return store.run(lambda connection: csv_uploads.of_space(connection, space_id, now))


def test_an_upload_is_kept_for_thirty_days(store: Store) -> None:
    first = made(store)
    assert listed(store, first.space_id) == [first]
    assert listed(store, first.space_id, NOW + 30 * DAY) == []
    later = msgspec.structs.replace(first, id="csv_2", created_at=NOW + 30 * DAY)
    store.run(lambda connection: csv_uploads.keep(connection, later))
    assert listed(store, first.space_id) == [later]


def test_no_more_than_the_newest_are_shown(store: Store) -> None:
    first = made(store)
    for number in range(MAX_LISTED):
        one = msgspec.structs.replace(first, id=f"csv_n{number}", created_at=NOW + 1 + number)
        store.run(lambda connection, one=one: csv_uploads.keep(connection, one))
    found = listed(store, first.space_id)
    assert [one.id for one in found] == [f"csv_n{number}" for number in reversed(range(MAX_LISTED))]


def test_an_upload_that_changes_stays_one(store: Store) -> None:
    first = made(store)
    after = msgspec.structs.replace(first, taken=3, discarded={})
    store.run(lambda connection: csv_uploads.keep(connection, after))
    assert listed(store, first.space_id) == [after]


def test_an_upload_that_nobody_goes_on_with_was_interrupted(store: Store) -> None:
    taking = msgspec.structs.replace(made(store), state="taking")
    name = csv_uploads.lease(taking.space_id)
    store.run(lambda connection: csv_uploads.keep(connection, taking))
    assert listed(store, taking.space_id)[0].state == "interrupted"
    store.run(lambda connection: leases.claim(connection, name, "another", 60))
    assert listed(store, taking.space_id)[0].state == "interrupted"
    store.run(lambda connection: leases.release(connection, name, "another"))
    store.run(lambda connection: leases.claim(connection, name, taking.id, 60))
    assert listed(store, taking.space_id)[0].state == "taking"


def test_a_file_that_was_taken_since_a_moment_is_known(store: Store) -> None:
    first = made(store)

    def before(digest: str, since: int) -> CsvUpload | None:
        return store.run(lambda connection: csv_uploads.taken_before(connection, first.space_id, digest, since))

    assert before("d", NOW + 4) == first
    assert before("d", NOW + 5) is None
    assert before("other", NOW) is None
    failed = msgspec.structs.replace(first, state="failed")
    store.run(lambda connection: csv_uploads.keep(connection, failed))
    assert before("d", NOW) is None


def test_a_space_has_one_source_for_its_uploads(store: Store) -> None:
    first = made(store)
    source = store.run(lambda connection: csv_uploads.source_of(connection, first.space_id))
    again = store.run(lambda connection: csv_uploads.source_of(connection, first.space_id))
    assert [one for one in store.run(workspaces.load).sources if one.kind == CSV_UPLOADS] == [again]
    assert (source, source.write_keys, source.name) == (again, (), "CSV uploads (People)")
