"""S3: writes whole events as files into a bucket of Amazon S3, or of what speaks its protocol (contract: 9.11).

A file holds the events of one batch that arrived on the same day, as gzipped lines of JSON or as Parquet, at
`[prefix/]segment-logs/{source}/{day}/{first arrival}.{digest}.gz`, the day being its first millisecond since 1970. The
name comes from the events alone, so the same batch sent again writes the same file again.

Requests are signed (AWS Signature Version 4) as of the newest event's arrival, since nothing here reads a clock. A
service that finds that too long ago says what time it is, and the request is signed again as of then.
"""

from __future__ import annotations

import gzip
import hashlib
import hmac
import re
from collections.abc import Generator, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final
from urllib.parse import quote, urlsplit

import msgspec

from headwater.spec.destination import (
    Action,
    Batch,
    DestinationDefinition,
    Failed,
    Field,
    Item,
    NoAnswer,
    Request,
    Response,
    Steps,
)
from headwater.spec.errors import SetupError
from headwater.spec.event import EVENT_TYPES
from headwater.writers.files import parquet

MOST_ITEMS: Final = 5_000
_MOST_FILES: Final = 9
_DAY_MS: Final = 86_400_000
_BUCKET: Final = re.compile(r"(?!.*\.\.)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_REGION: Final = re.compile(r"[a-z0-9-]{2,40}")
_PREFIX: Final = re.compile(r"(?!.*(?:^|/)\.{1,2}(?:/|$))(?!.*//)[A-Za-z0-9_.-][A-Za-z0-9_./-]{0,199}")
_PLACES: Final = ("auto", "path", "host")
_FORMATS: Final = ("json", "parquet")
_CLASSES: Final = (
    "STANDARD",
    "STANDARD_IA",
    "ONEZONE_IA",
    "INTELLIGENT_TIERING",
    "GLACIER_IR",
    "GLACIER",
    "DEEP_ARCHIVE",
)
_ENCRYPTIONS: Final = ("none", "AES256", "aws:kms")
_EXPIRED: Final = re.compile(
    rb"<Code>(ExpiredToken|InvalidToken|TokenRefreshRequired|InvalidAccessKeyId|SignatureDoesNotMatch)</Code>"
)
_SKEWED: Final = b"<Code>RequestTimeTooSkewed</Code>"


def store(settings: dict[str, Any], items: Sequence[Item]) -> Steps:
    """One file for each day on which the items arrived."""
    days: dict[int, list[int]] = {}
    for index, item in enumerate(items):
        days.setdefault(item.received_at // _DAY_MS * _DAY_MS, []).append(index)
    failed: dict[int, Failed] = {}
    now = max(item.received_at for item in items) / 1000
    for number, (day, indexes) in enumerate(days.items()):
        if number >= _MOST_FILES:
            failed |= dict.fromkeys(indexes, Failed("The batch has more days than files.", again=True))
            continue
        found = yield from _put(settings, day, [items[index] for index in indexes], now)
        if found is None:
            return None
        now = found
    return failed or None


def check(settings: dict[str, Any]) -> None:
    """There is a bucket, a region and credentials, and all that becomes part of an address can be one."""
    if not _BUCKET.fullmatch(str(settings.get("bucket") or "")):
        raise SetupError("The bucket's name must have 3 to 63 lower-case letters, digits, dots and hyphens.")
    if not _REGION.fullmatch(str(settings.get("region") or "")):
        raise SetupError("The region must be named as the service names it, such as eu-central-1.")
    for key, called in (("accessKeyId", "access key id"), ("secretAccessKey", "secret access key")):
        value = settings.get(key)
        if not isinstance(value, str) or not re.fullmatch(r"[\x21-\x7e]+", value):
            raise SetupError(f"The {called} is missing, or has characters that none has.")
    if settings.get("prefix") and not _PREFIX.fullmatch(str(settings["prefix"]).strip("/")):
        raise SetupError("The prefix may have letters, digits, hyphens, underscores, dots and slashes.")
    _check_endpoint(settings.get("endpoint"))
    lists = {"addressing": _PLACES, "format": _FORMATS, "storageClass": _CLASSES, "encryption": _ENCRYPTIONS}
    for key, known in lists.items():
        if settings.get(key) not in (None, "", *known):
            raise SetupError(f"{key} must be one of {', '.join(known)}.")
    if settings.get("kmsKeyId") and not re.fullmatch(r"[A-Za-z0-9:/_-]{1,256}", str(settings["kmsKeyId"])):
        raise SetupError("The key of the encryption must be an id or an ARN.")
    wait = settings.get("waitSeconds")
    if wait not in (None, "") and (isinstance(wait, bool) or not isinstance(wait, int | float) or not 0 <= wait <= 60):
        raise SetupError("waitSeconds must be a number from 0 to 60.")


def batch(settings: dict[str, Any]) -> Batch:
    """Files of up to 5,000 events or 4 MB; the first event waits for the others as long as the owner says."""
    wait = settings.get("waitSeconds")
    return Batch(items=MOST_ITEMS, body_bytes=4_000_000, wait=float(30 if wait in (None, "") else wait))


def _put(
    settings: dict[str, Any], day: int, items: list[Item], now: float
) -> Generator[Request, Response, float | None]:
    """Write one file. Returns the time it was signed as of, or None if it was not written."""
    body = parquet(items) if settings.get("format") == "parquet" else _lines(items)
    name = _name(settings, day, items)
    response = yield _request(settings, name, body, now)
    if response.status == 403 and _SKEWED in response.body and (said := _their_time(response)) is not None:
        now = said
        response = yield _request(settings, name, body, now)
    if response.status in (400, 403) and (code := _EXPIRED.search(response.body)):
        raise NoAnswer("UNAUTHORIZED", code[1].decode())
    return now if 200 <= response.status < 300 else None


def _name(settings: dict[str, Any], day: int, items: list[Item]) -> str:
    digest = hashlib.sha256()
    for item in items:
        digest.update(hashlib.sha256(item.body).digest())
    source = re.sub(r"[^A-Za-z0-9_-]", "", str(items[0].read().get("projectId") or "")) or "unknown"
    ending = "parquet" if settings.get("format") == "parquet" else "gz"
    prefix = str(settings.get("prefix") or "").strip("/")
    first = min(item.received_at for item in items)
    path = f"segment-logs/{source}/{day}/{first}.{digest.hexdigest()[:32]}.{ending}"
    return f"{prefix}/{path}" if prefix else path


def _lines(items: list[Item]) -> bytes:
    return gzip.compress(b"".join([item.body + b"\n" for item in items]), 1, mtime=0)


def _request(settings: dict[str, Any], name: str, body: bytes, now: float) -> Request:
    headers = {
        "Content-Type": "application/vnd.apache.parquet" if name.endswith(".parquet") else "application/gzip",
        "User-Agent": "Headwater",
    }
    if (kind := settings.get("storageClass")) and kind != "STANDARD":
        headers["x-amz-storage-class"] = kind
    if (encryption := settings.get("encryption") or "none") != "none":
        headers["x-amz-server-side-encryption"] = encryption
        if encryption == "aws:kms" and settings.get("kmsKeyId"):
            headers["x-amz-server-side-encryption-aws-kms-key-id"] = settings["kmsKeyId"]
    return signed(settings, Request("PUT", _url(settings, name), headers, body, 60.0), now)


def _url(settings: dict[str, Any], name: str) -> str:
    """The file's address: the bucket is part of the host, or of the path where it cannot be."""
    bucket, endpoint = settings["bucket"], str(settings.get("endpoint") or "").rstrip("/")
    place = settings.get("addressing") or "auto"
    in_path = place == "path" or (place == "auto" and (bool(endpoint) or "." in bucket))
    scheme, _, host = (endpoint or f"https://s3.{settings['region']}.amazonaws.com").partition("://")
    return f"{scheme}://{host}/{bucket}/{name}" if in_path else f"{scheme}://{bucket}.{host}/{name}"


def signed(settings: dict[str, Any], request: Request, now: float) -> Request:
    """The request with its signature (Version 4), as of `now`, in seconds since 1970."""
    moment = datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%SZ")
    parts = urlsplit(request.url)
    digest = hashlib.sha256(request.body).hexdigest()
    headers = {**request.headers, "x-amz-content-sha256": digest, "x-amz-date": moment}
    if settings.get("sessionToken"):
        headers["x-amz-security-token"] = settings["sessionToken"]
    covered = {name.lower(): value.strip() for name, value in headers.items() if name.lower() != "user-agent"}
    covered["host"] = parts.netloc
    names = ";".join(sorted(covered))
    lines = "".join(f"{name}:{covered[name]}\n" for name in sorted(covered))
    asked = "\n".join((request.method, quote(parts.path, safe="/-_.~"), "", lines, names, digest))
    scope = f"{moment[:8]}/{settings['region']}/s3/aws4_request"
    told = f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{hashlib.sha256(asked.encode()).hexdigest()}"
    key = f"AWS4{settings['secretAccessKey']}".encode()
    for step in scope.split("/"):
        key = hmac.digest(key, step.encode(), "sha256")
    signature = hmac.digest(key, told.encode(), "sha256").hex()
    headers["Authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={settings['accessKeyId']}/{scope}, SignedHeaders={names}, Signature={signature}"
    )
    return msgspec.structs.replace(request, headers=headers, secrets=(signature,))


def _their_time(response: Response) -> float | None:
    try:
        return parsedate_to_datetime(response.headers.get("date", "")).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _check_endpoint(endpoint: Any) -> None:
    if endpoint in (None, ""):
        return
    try:
        parts = urlsplit(str(endpoint))
        whole = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
        whole = whole and not parts.path.strip("/") and not parts.query and not parts.fragment and not parts.username
    except ValueError:
        whole = False
    if not whole or not str(endpoint).isascii():
        raise SetupError("The endpoint must be the root of the service, such as https://storage.example.com.")


definition = DestinationDefinition(
    name="Amazon S3",
    description="Writes events as files into a bucket of Amazon S3, or of storage that speaks its protocol.",
    website="https://aws.amazon.com/s3/",
    categories=("Raw Data", "Storage"),
    fields=(
        Field(key="bucket", label="Bucket", description="The name of the bucket.", required=True),
        Field(
            key="region",
            label="Region",
            description="Where the bucket is; for other storage the name that it wants in signatures.",
            required=True,
            placeholder="eu-central-1",
        ),
        Field(
            key="accessKeyId",
            label="Access key id",
            description="The id of a key that may write into the bucket.",
            required=True,
        ),
        Field(
            key="secretAccessKey",
            label="Secret access key",
            description="The key's secret.",
            type="password",
            required=True,
        ),
        Field(
            key="sessionToken",
            label="Session token",
            description="The token that belongs to a key that ends by itself.",
            type="password",
        ),
        Field(key="prefix", label="Prefix", description="The folder that files are written into."),
        Field(
            key="endpoint",
            label="Endpoint",
            description="The root of other storage that speaks the protocol; empty for Amazon S3.",
            placeholder="https://storage.example.com",
        ),
        Field(
            key="addressing",
            label="Bucket's name",
            description="Whether it stands in the path or in the host; auto is in the path with an endpoint.",
            type="select",
            default="auto",
            choices=_PLACES,
        ),
        Field(
            key="format",
            label="Format",
            description="Whether files are gzipped lines of JSON, or Parquet with the event as JSON in a column.",
            type="select",
            default="json",
            choices=_FORMATS,
        ),
        Field(
            key="storageClass",
            label="Storage class",
            description="How the service keeps the files.",
            type="select",
            default="STANDARD",
            choices=_CLASSES,
        ),
        Field(
            key="encryption",
            label="Encryption",
            description="How the service encrypts the files; none leaves it to the bucket.",
            type="select",
            default="none",
            choices=_ENCRYPTIONS,
        ),
        Field(key="kmsKeyId", label="Key of the encryption", description="The id or ARN of a key for aws:kms."),
        Field(
            key="waitSeconds",
            label="Wait (seconds)",
            description="How long the first event of a file waits for others, at most 60.",
            type="number",
            default=30,
        ),
    ),
    action=Action(slug="store", name="Store", description="Writes the event into a file.", steps=store),
    event_types=EVENT_TYPES,
    check=check,
    batch=batch,
    previous_names=("S3",),
    concurrency=2,
    credentials=True,
    storage=True,
)
