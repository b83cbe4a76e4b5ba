"""The Profile API: other systems read one profile at a time, over HTTP (contract: profiles-governance 2).

What comes in: `GET /v1/spaces/<space>/collections/<users|accounts>/profiles/<type:value or id>/<what>` with the token
of a space as the user name of Basic authentication. What goes out, as JSON: traits, external ids, metadata, links or
events. With a token that was made for it, `POST` to a person's `external_ids/delete` deletes one identifier (1.11).

What it promises: every identifier of a person, and every id that merges made one, reads the same profile; a page never
shows twice what the page before showed; every answer has a `Request-Id`; whatever is asked, the answer is JSON and the
fault is named. What it refuses: tokens of other spaces and of the operations (401), and more requests a second than the
setting allows (429 with `Retry-After`). Nothing is remembered between requests: who asks, and the profile, are looked
up after the request came; requests that come at the same time share one reading of the store.

`asked` reads a request and `answers` makes what is answered, both pure; `door` admits, and reads the traits of many by
`together`; `deletion` deletes; `pace` counts; `look` reads the store, `events` the index of history, the log and the
archive; `face` is the application.
"""
