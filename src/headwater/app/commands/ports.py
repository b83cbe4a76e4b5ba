"""May this machine listen on a port?"""

from __future__ import annotations

import socket


def bind_error(host: str, port: int) -> OSError | None:
    """Why nobody may listen there now, or None."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return error
    return None
