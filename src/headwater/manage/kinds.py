"""The catalogue of sources: which kinds there are. All of them speak the tracking API; the kind names the client."""

from __future__ import annotations

from headwater.manage.answers import SourceMetadata
from headwater.spec.computation import ENGAGE
from headwater.spec.csv_upload import CSV_UPLOADS
from headwater.spec.errors import SenderError
from headwater.spec.sql_trait import SQL_TRAITS
from headwater.spec.workspace import Source

_KINDS = (
    ("http-api", "HTTP API", "Any program that can send a request.", "Server"),
    ("javascript", "Javascript", "A website with analytics.js.", "Website"),
    ("pixel-tracking-api", "Pixel", "E-mails and pages that can only load an image.", "Website"),
    ("ios", "iOS", "An app for iPhone or iPad, with analytics-swift.", "Mobile"),
    ("android", "Android", "An app for Android, with analytics-kotlin.", "Mobile"),
    ("react-native", "React Native", "An app for several platforms, with analytics-react-native.", "Mobile"),
    ("flutter", "Flutter", "An app for several platforms, with analytics_flutter.", "Mobile"),
    ("node.js", "Node.js", "A server in JavaScript, with @segment/analytics-node.", "Server"),
    ("python", "Python", "A server in Python, with segment-analytics-python.", "Server"),
    ("go", "Go", "A server in Go, with analytics-go.", "Server"),
    ("ruby", "Ruby", "A server in Ruby, with analytics-ruby.", "Server"),
    ("php", "PHP", "A server in PHP, with analytics-php.", "Server"),
    ("java", "Java", "A server in Java, with analytics-java.", "Server"),
    ("net", ".NET", "A server in C#, with Analytics.NET or analytics-csharp.", "Server"),
    ("rust", "Rust", "A server in Rust, with the segment crate.", "Server"),
    ("clojure", "Clojure", "A server in Clojure, with analytics-clojure.", "Server"),
)

KINDS: dict[str, SourceMetadata] = {
    slug: SourceMetadata(id=slug, name=name, slug=slug, description=description, categories=[category])
    for slug, name, description, category in _KINDS
}
"""The kinds by their slug, which is also their metadata id."""

_OWN = {
    slug: SourceMetadata(id=slug, name=name, slug=slug, description=description, categories=["Space"])
    for slug, name, description in (
        (ENGAGE, "Engage", "What changes in the audiences and computed traits of a space. Headwater writes it itself."),
        (SQL_TRAITS, "SQL traits", "What the SQL traits of a space find. Headwater writes it itself."),
        (CSV_UPLOADS, "CSV uploads", "The rows of files that were uploaded to a space. Headwater writes it itself."),
    )
}
"""The kinds of sources that the house writes to. They are in no catalogue: nobody makes one."""


def refuse_own(source: Source, what: str) -> None:
    """Raises SenderError 409 when a space's own source is to be changed in a way that would end it."""
    if source.kind in _OWN:
        message = f'"{source.name}" is written by Headwater itself for a space: {what}.'
        raise SenderError(message, code="conflict", status=409)


def kind(slug: str) -> SourceMetadata:
    """The kind of a source; one that the catalogue does not know shows by its slug."""
    unknown = SourceMetadata(id=slug, name=slug, slug=slug, description="A kind of its own.")
    return KINDS.get(slug) or _OWN.get(slug) or unknown
