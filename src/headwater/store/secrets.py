"""Sealing of secret settings: AES-256-GCM with a key that lives outside the database.

A sealed secret is text, `sealed:<key id>:<base64 of nonce and ciphertext>`. The key file holds one key a line, newest
first; the newest seals, all of them open, so that a key can be rotated (`rotation.py`). A key behind `next:` opens and
does not seal yet: that is how several machines know a key before any of them uses it.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
import secrets
import sys
from pathlib import Path
from typing import cast

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from headwater.spec.errors import SetupError
from headwater.spec.wire import JSON

_PREFIX = "sealed"
COMING = "next:"
"""What a line of the key file begins with whose key opens, and does not seal yet."""

_DRAFT = re.compile(r"\.[0-9a-f]{16}")
_SEALED = re.compile(rf"{_PREFIX}:[0-9a-f]{{8}}:[A-Za-z0-9+/]+=*")


class Secrets:
    """Seals and opens secrets. Neither keys nor secrets show in its repr.

    With a key file, it follows the file: it seals with what is the newest key there at that moment, and looks for a key
    that it does not know. What it once knew it never forgets, so that what was read before a rotation opens after it.
    """

    def __init__(self, keys: list[bytes], path: Path | None = None) -> None:
        """`keys` are 32 bytes each, newest first."""
        self._ciphers: dict[str, AESGCM] = {}
        self._path = path
        self._stamp: tuple[int, ...] = ()
        self._newest = self._learn(keys)

    @classmethod
    def from_file(cls, path: Path) -> Secrets:
        """Read the key file, or make one that only its owner may read. Raises SetupError when it cannot be used."""
        try:
            if not path.exists():
                _make(path)
        except OSError as error:
            raise SetupError(f"The key file {path} cannot be used: {error}") from error
        stamp = _stamp(path)
        file = read_keys(path)
        made = cls([*file.keys, *file.coming], path)
        made._stamp = stamp
        return made

    @property
    def newest(self) -> str:
        """The id of the key that seals now."""
        self._follow()
        return self._newest

    def knows(self, key_id: str) -> bool:
        """Is there such a key?"""
        if key_id not in self._ciphers:
            self._follow()
        return key_id in self._ciphers

    def _learn(self, keys: list[bytes]) -> str:
        """Know these keys too, and return the id of the first."""
        ids = [key_id(key) for key in keys]
        for name, key in zip(ids, keys, strict=True):
            self._ciphers.setdefault(name, AESGCM(key))
        return ids[0]

    def _follow(self) -> None:
        """Read the key file again if it is another than before. One that cannot be read changes nothing."""
        if self._path is None or (stamp := _stamp(self._path)) == self._stamp or not stamp:
            return
        try:
            file = read_keys(self._path)
        except SetupError:
            return
        self._newest = self._learn([*file.keys, *file.coming])
        self._stamp = stamp

    def seal(self, secret: str) -> str:
        """Encrypt a secret for the database; what is sealed already stays as it is."""
        if _SEALED.fullmatch(secret):
            return secret
        self._follow()
        nonce = secrets.token_bytes(12)
        sealed = nonce + self._ciphers[self._newest].encrypt(nonce, secret.encode(), None)
        return f"{_PREFIX}:{self._newest}:{base64.b64encode(sealed).decode()}"

    def reseal_all(self, setting: JSON) -> JSON:
        """Seal with the newest key whatever another key has sealed in it. What no key opens stays as it is."""
        if isinstance(setting, dict):
            return {key: self.reseal_all(value) for key, value in cast("dict[str, JSON]", setting).items()}
        if isinstance(setting, list):
            return [self.reseal_all(value) for value in cast("list[JSON]", setting)]
        if not isinstance(setting, str) or not _SEALED.fullmatch(setting) or sealed_by(setting) == self.newest:
            return setting
        try:
            return self.seal(self.open(setting))
        except SetupError:
            return setting

    def seal_all(self, setting: JSON) -> JSON:
        """Seal a secret setting: a text, or every text of a map."""
        if isinstance(setting, dict):
            return {key: self.seal_all(value) for key, value in cast("dict[str, JSON]", setting).items()}
        return self.seal(setting) if isinstance(setting, str) else setting

    def open_all(self, setting: JSON) -> JSON:
        """Open what `seal_all` sealed. Raises SetupError when no key fits."""
        if isinstance(setting, dict):
            return {key: self.open_all(value) for key, value in cast("dict[str, JSON]", setting).items()}
        return self.open(setting) if isinstance(setting, str) else setting

    def open(self, sealed: str) -> str:
        """Decrypt. What was never sealed comes back as it is. Raises SetupError when no key fits."""
        if not sealed.startswith(f"{_PREFIX}:"):
            return sealed
        try:
            _, key_id, text = sealed.split(":", 2)
            data = base64.b64decode(text, validate=True)
            if key_id not in self._ciphers:
                self._follow()
            return self._ciphers[key_id].decrypt(data[:12], data[12:], None).decode()
        except (KeyError, ValueError, InvalidTag) as error:
            raise SetupError(
                "A secret cannot be opened: its key is missing from the key file. Enter it again."
            ) from error


class KeyFile(msgspec.Struct, frozen=True):
    """What a key file holds: keys, newest first, and those that are known already but seal nothing yet."""

    keys: list[bytes]
    coming: list[bytes] = []


def key_id(key: bytes) -> str:
    """What a key is known by; it does not tell the key."""
    return hashlib.sha256(key).hexdigest()[:8]


def sealed_by(sealed: str) -> str:
    """The id of the key that sealed a text."""
    return sealed.split(":", 2)[1]


def read_keys(path: Path) -> KeyFile:
    """What the key file holds. Raises SetupError when it cannot be used."""
    try:
        lines = path.read_text().split()
        keys = [bytes.fromhex(line) for line in lines if not line.startswith(COMING)]
        coming = [bytes.fromhex(line.removeprefix(COMING)) for line in lines if line.startswith(COMING)]
    except (OSError, ValueError) as error:
        raise SetupError(f"The key file {path} cannot be used: {error}") from error
    if not keys or any(len(key) != 32 for key in (*keys, *coming)):
        raise SetupError(f"The key file {path} must hold keys of 64 hexadecimal digits, one a line.")
    return KeyFile(keys, coming)


def write_keys(path: Path, file: KeyFile) -> None:
    """Put a key file in the place of the one that stands, whole and durable, for the same owner.

    Raises SetupError when that cannot be done; then the old one stands.
    """
    lines = [key.hex() for key in file.keys] + [COMING + key.hex() for key in file.coming]
    draft = _draft(path, lines)
    try:
        standing = path.stat()
        if hasattr(os, "chown"):
            os.chown(draft, standing.st_uid, standing.st_gid)
        draft.chmod(standing.st_mode & 0o777)
        draft.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise SetupError(f"The key file {path} cannot be written: {error}") from error


def drop_drafts(path: Path) -> None:
    """Remove what writers that were killed left beside the key file."""
    for left in path.parent.glob(f"{path.name}.*"):
        if _DRAFT.fullmatch(left.name.removeprefix(path.name)):
            left.unlink(missing_ok=True)


def _stamp(path: Path) -> tuple[int, ...]:
    """What tells a file from the one that stood in its place; empty when there is none to be seen."""
    try:
        found = path.stat()
    except OSError:
        return ()
    return found.st_ino, found.st_mtime_ns, found.st_size


def _draft(path: Path, lines: list[str]) -> Path:
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write("".join(f"{line}\n" for line in lines))
        file.flush()
        os.fsync(file.fileno())
    return draft


def _sync_folder(folder: Path) -> None:
    if sys.platform == "win32":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _make(path: Path) -> None:
    """Write a new key file, whole and durable before it has its name; of several makers at once the first one wins."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = _draft(path, [secrets.token_hex(32)])
    try:
        path.hardlink_to(draft)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
