"""What browser tests send to: the collect role, and a site that serves pages and plays a receiver by script."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
from collections.abc import Coroutine, Generator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from headwater.contracts.doubles import Answer, Recorder
from headwater.contracts.house import until

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "tests" / "scenarios"), str(ROOT / "browser")]

import build  # noqa: E402
from collect_house import KEY, CollectHouse, GatedLog, collect_house  # noqa: E402

HTML = {"content-type": "text/html; charset=utf-8"}
SCRIPT = {"content-type": "text/javascript; charset=utf-8"}
JSON_TYPE = {"content-type": "application/json"}


class Scene:
    """A collect role and a site, running in a thread of their own until it is closed."""

    def __init__(self, folder: Path) -> None:
        self.collect: CollectHouse
        self.log = GatedLog()
        self.site = Recorder()
        self._loop = asyncio.new_event_loop()
        self._open = threading.Event()
        self._closing = asyncio.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._live, args=(folder,), daemon=True)
        self._thread.start()
        self._open.wait(30)
        if self._failure is not None:
            raise self._failure

    def _live(self, folder: Path) -> None:
        try:
            self._loop.run_until_complete(self._run(folder))
        except BaseException as error:
            self._failure = error
            self._open.set()

    async def _run(self, folder: Path) -> None:
        async with collect_house(folder, self.log, settings_max_age_seconds=0) as self.collect, self.site:
            self._open.set()
            await self._closing.wait()

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._closing.set)
        self._thread.join(30)
        assert not self._thread.is_alive()

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    @property
    def collect_host(self) -> str:
        return f"127.0.0.1:{self.collect.port}"

    def events(self) -> list[dict[str, Any]]:
        """Every event that the collect role kept, those of batches one by one."""
        found: list[dict[str, Any]] = []
        for _, value in self.run(self.collect.kept()):
            body = json.loads(value)
            found += body.get("batch", [body])
        return found

    def of(self, mark: str) -> list[dict[str, Any]]:
        """The events that carry a mark, which every page of a test puts into their context."""
        return [event for event in self.events() if event["context"].get("mark") == mark]

    def await_events(self, mark: str, count: int) -> list[dict[str, Any]]:
        until(lambda: len(self.of(mark)) >= count, seconds=30, what=f"for {count} events of {mark}")
        return self.of(mark)

    # Pages

    def put(self, path: str, body: str | bytes, headers: dict[str, str] | None = None, status: int = 200) -> str:
        """Serve something under a path of the site and return its address."""
        data = body.encode() if isinstance(body, str) else body
        self.site.script(path, Answer(status, headers or HTML, data))
        return self.site.url(path)

    def put_page(
        self,
        mark: str,
        *,
        head: str = "",
        body: str = "",
        first: str = "analytics.page()",
        options: str = "{}",
        script_host: str = "",
    ) -> str:
        """A page with the classic snippet, whose host alone was changed, and return its address.

        `first` is what the page calls before the library is there; `options` are its load options, in JavaScript.
        The script comes from `script_host`, the collect role's unless given.
        Every event of the page has `mark` in its context.
        """
        marking = f"function(a){{a.payload.obj.context.mark={json.dumps(mark)};a.next(a.payload)}}"
        snippet = classic_snippet(script_host or self.collect_host, KEY)
        snippet = snippet.replace(f'analytics.load("{KEY}");', f'analytics.load("{KEY}", {options});')
        script = f"{snippet}\nanalytics.addSourceMiddleware({marking});\n{first}"
        head = f"<title>A page</title>{head}<script>{script}</script>"
        return self.put(f"/{mark}", f"<!doctype html><html><head>{head}</head><body>{body}</body></html>")


@cache
def packages() -> Path:
    """The folder of the packages that are locked for the browser. Skips the test when npm cannot install them."""
    try:
        return build.install()
    except FileNotFoundError as error:
        pytest.skip(str(error))
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        pytest.skip(f"npm could not install what the browser tests compare with: {error}")


@cache
def classic_snippet(host: str, key: str) -> str:
    """The official snippet as its package makes it, without the page call at its end; only the host is ours."""
    wanted = json.dumps({"host": host, "apiKey": key, "page": False})
    code = f"process.stdout.write(require({json.dumps(str(packages() / '@segment' / 'snippet'))}).max({wanted}))"
    command = [build.program("node"), "-e", code]
    made = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True).stdout
    return made.replace("https://", "http://")


@contextmanager
def open_scene(folder: Path) -> Generator[Scene]:
    """A scene until the block ends."""
    scene = Scene(folder)
    try:
        yield scene
    finally:
        scene.close()
