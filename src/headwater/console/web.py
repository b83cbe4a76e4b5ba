"""The console as a web application: sign-in, assets, and the pages of the folder `pages`."""

from __future__ import annotations

import logging
import pkgutil
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from importlib import import_module
from pathlib import Path

from fastapi import FastAPI
from nicegui import app as pages_app
from nicegui import ui
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.staticfiles import StaticFiles

from headwater.console import authorized, files, pages, sign_in
from headwater.console.door import Application
from headwater.console.guard import FILES_BELOW, SIGN_IN, Guard
from headwater.manage.front import Front
from headwater.spec.oauth import CALLBACK

ASSETS = Path(__file__).parent / "assets"
_NOTHING = (ASSETS / "nothing.html").read_text(encoding="utf-8")
for _module in pkgutil.iter_modules(pages.__path__):
    import_module(f"{pages.__name__}.{_module.name}")


@asynccontextmanager
async def console(front: Front) -> AsyncGenerator[Application]:
    """The console over the operations of one house. There is one at a time in a process: the page framework is one."""
    stood = list(pages_app.user_middleware)
    web = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)

    @web.get(SIGN_IN)
    async def show(request: Request) -> Response:
        return await sign_in.show(request)

    @web.post(SIGN_IN)
    async def enter(request: Request) -> Response:
        return await sign_in.sign_in(request, front)

    @web.post("/console/sign-out")
    async def leave(request: Request) -> Response:
        return await sign_in.sign_out(request, front)

    @web.get(CALLBACK)
    async def come_back(request: Request) -> Response:
        return await authorized.come_back(request)

    @web.post(f"{FILES_BELOW}profiles/{{space_id}}")
    async def take_profiles(request: Request) -> Response:
        return await files.take_profiles(request)

    @web.get(f"{FILES_BELOW}members/{{space_id}}/{{id}}")
    async def give_members(request: Request) -> Response:
        return await files.give_members(request)

    web.mount("/console/assets", StaticFiles(directory=ASSETS))
    ui.run_with(
        web,
        mount_path="/console",
        title="Headwater",
        favicon=ASSETS / "mark.svg",
        tailwind=False,
        gzip_middleware_factory=None,
        show_welcome_message=False,
        reconnect_timeout=10.0,
        binding_refresh_interval=None,
    )
    pages_app.config.socket_io_js_transports = ["websocket"]
    logging.getLogger("nicegui").addFilter(_in_one_line)
    # The framework's own answer is a live page, which is kept for a minute for everybody who asks for nothing.
    pages_app.add_exception_handler(404, _nothing_here)
    try:
        async with web.router.lifespan_context(web):
            yield GZipMiddleware(Guard(web, front), minimum_size=1_000)
    finally:
        # The framework's application outlives this one, and takes nothing more once it has answered.
        pages_app.user_middleware[:] = stood
        pages_app.middleware_stack = None


def _in_one_line(record: logging.LogRecord) -> bool:
    """What a browser has the framework log stays on its line, and reads as nothing else."""
    message = record.getMessage()
    record.msg, record.args = message.replace("\r", "\\r").replace("\n", "\\n"), ()
    return True


async def _nothing_here(_request: Request, _error: Exception) -> Response:
    return HTMLResponse(_NOTHING, status_code=404)
