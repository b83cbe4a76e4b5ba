"""Words that cannot name a table or column without quotes in the warehouses people query (contract: connections 9.4).

The list is the reserved words of Amazon Redshift, whose users the schema was made for, with those of PostgreSQL that
it lacks. A name among them gets a leading underscore.
"""

from __future__ import annotations

from typing import Final

_WORDS: Final = """
    aes128 aes256 all allowoverwrite analyse analyze and any array as asc asymmetric authorization az64 backup between
    binary blanksasnull both bytedict bzip2 case cast check collate collation column concurrently constraint create
    credentials cross current_catalog current_date current_role current_schema current_time current_timestamp
    current_user current_user_id default deferrable deflate defrag delta delta32k desc disable distinct do else
    emptyasnull enable encode encrypt encryption end except explicit false fetch for foreign freeze from full
    globaldict256 globaldict64k grant group gzip having identity ignore ilike in initially inner intersect interval
    into is isnull join language lateral leading left like limit localtime localtimestamp lun luns lzo lzop minus
    mostly16 mostly32 mostly8 natural new not notnull null nulls off offline offset oid old on only open or order outer
    overlaps parallel partition percent permissions pivot placing primary raw readratio recover references rejectlog
    resort respect restore returning right select session_user similar snapshot some sysdate symmetric system table
    tablesample tag tdes text255 text32k then timestamp to top trailing true truncatecolumns union unique unnest unpivot
    user using variadic verbose wallet when where window with without
"""
RESERVED: Final = frozenset(_WORDS.split())

STANDARD: Final = frozenset(
    {"id", "anonymous_id", "user_id", "received_at", "sent_at", "timestamp", "original_timestamp", "event"}
    | {"event_text", "uuid", "uuid_ts", "loaded_at", "_overflow"}
)
"""Columns that the house fills. A property or trait of that name is left out of the tables (9.3, 9.4)."""

TABLES: Final = frozenset(
    {"identifies", "users", "groups", "accounts", "pages", "screens", "tracks", "aliases"},
)
"""Tables that every source may have. An event of that name gets a leading underscore (9.2)."""
