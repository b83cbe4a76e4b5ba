"""Which partition an event belongs to."""

from headwater.spec.keys import collected_key, is_stand_in, partition_of, stand_in


def test_the_key_is_the_source_and_the_user_id_or_else_the_anonymous_id():
    assert collected_key("s", "u1", "a1") == b"s\0u1"
    assert collected_key("s", None, "a1") == b"s\0a1"
    assert collected_key("s", "", "a1") == b"s\0a1"


def test_what_is_no_text_is_nobodys():
    assert collected_key("s", 7, ["a"]) == b"s\0"


def test_text_that_is_no_unicode_has_a_key_nonetheless():
    assert collected_key("s", "\ud800", None) == b"s\0?"


def test_a_partition_stays_what_it_was_since_logs_on_disk_rely_on_it():
    assert [partition_of(collected_key("s", f"u{number}", None), 4) for number in range(6)] == [1, 3, 1, 3, 0, 2]


def test_a_stand_in_is_the_same_for_a_name_and_known_for_what_it_is():
    assert stand_in("email:ann@example.com") == stand_in("email:ann@example.com") != stand_in("email:bob@example.com")
    assert is_stand_in(stand_in("x"))
    assert not any(map(is_stand_in, (None, 7, "", "ann", "nobody")))
