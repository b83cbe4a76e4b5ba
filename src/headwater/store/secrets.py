"""Sealing of secret settings: AES-256-GCM with a key that lives outside the database.

A sealed secret is text, `sealed:<key id>:<base64 of nonce and ciphertext>`. The key file holds one key a line, newest
first; the newest seals, all of them open, so that a key can be rotated.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
import secrets
from pathlib import Path
from typing import cast

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from headwater.spec.errors import SetupError
from headwater.spec.wire import JSON

_PREFIX = "sealed"
_SEALED = re.compile(rf"{_PREFIX}:[0-9a-f]{{8}}:[A-Za-z0-9+/]+=*")


class Secrets:
    """Seals and opens secrets. Neither keys nor secrets show in its repr."""

    def __init__(self, keys: list[bytes]) -> None:
        """`keys` are 32 bytes each, newest first."""
        self._ciphers = {hashlib.sha256(key).hexdigest()[:8]: AESGCM(key) for key in keys}
        self._newest = next(iter(self._ciphers))

    @classmethod
    def from_file(cls, path: Path) -> Secrets:
        """Read the key file, or make one that only its owner may read. Raises SetupError when it cannot be used."""
        try:
            if not path.exists():
                _make(path)
            keys = [bytes.fromhex(line) for line in path.read_text().split()]
        except (OSError, ValueError) as error:
            raise SetupError(f"The key file {path} cannot be used: {error}") from error
        if not keys or any(len(key) != 32 for key in keys):
            raise SetupError(f"The key file {path} must hold keys of 64 hexadecimal digits, one a line.")
        return cls(keys)

    def seal(self, secret: str) -> str:
        """Encrypt a secret for the database; what is sealed already stays as it is."""
        if _SEALED.fullmatch(secret):
            return secret
        nonce = secrets.token_bytes(12)
        sealed = nonce + self._ciphers[self._newest].encrypt(nonce, secret.encode(), None)
        return f"{_PREFIX}:{self._newest}:{base64.b64encode(sealed).decode()}"

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
            return self._ciphers[key_id].decrypt(data[:12], data[12:], None).decode()
        except (KeyError, ValueError, InvalidTag) as error:
            raise SetupError(
                "A secret cannot be opened: its key is missing from the key file. Enter it again."
            ) from error


def _make(path: Path) -> None:
    """Write a new key file, whole and durable before it has its name; of several makers at once the first one wins."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(secrets.token_hex(32) + "\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        path.hardlink_to(draft)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
