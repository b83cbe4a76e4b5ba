"""Files that a page of the console sends or gives: the browser's request or the answer is the file, piece by piece.

The guard lets nobody here who is not signed in, or comes from another site's page.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from typing import Final

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse

from headwater.console.person import Person
from headwater.manage.operations.csv_uploads import CreateCsvUpload, create_csv_upload
from headwater.manage.operations.member_files import GetMembersCsv, get_members_csv
from headwater.manage.problems import explain
from headwater.manage.streaming import whole
from headwater.spec.errors import HeadwaterError, SenderError

_REST_SECONDS: Final = 120.0


async def take_profiles(request: Request) -> Response:
    """Upload a CSV file of people; answers what came of it, or what is wrong with it as sentences."""
    person: Person = request.scope["person"]
    asked = CreateCsvUpload(space_id=request.path_params["space_id"], name=request.query_params.get("name", ""))
    async with aclosing(_pieces(request)) as pieces:
        try:
            return _json(await person.send(create_csv_upload, asked, pieces))
        except HeadwaterError as error:
            await _pass_over(pieces)
            status, problems, _ = explain(error)
            # To the page it is an answer like any other; a browser would log a failure.
            return _json({"problems": [one.message for one in problems], "begun": status >= 500})


async def give_members(request: Request) -> Response:
    """Download the members of an audience, or the values of a computed trait."""
    person: Person = request.scope["person"]
    space_id, id = request.path_params["space_id"], request.path_params["id"]
    try:
        parts = await person.listen(get_members_csv, GetMembersCsv(space_id=space_id, id=id))
        first = await anext(parts)
    except HeadwaterError as error:
        status, problems, _ = explain(error)
        return PlainTextResponse(problems[0].message, status_code=status)
    named = {"Content-Disposition": 'attachment; filename="members.csv"', "Cache-Control": "no-store"}
    return StreamingResponse(whole(first, parts), media_type="text/csv", headers=named)


async def _pass_over(pieces: AsyncGenerator[bytes]) -> None:
    """The rest of a file that is refused: a browser that cannot send it to its end does not read why."""
    with suppress(SenderError, TimeoutError):
        async with asyncio.timeout(_REST_SECONDS):
            async for _ in pieces:
                pass


async def _pieces(request: Request) -> AsyncGenerator[bytes]:
    try:
        async for piece in request.stream():
            yield piece
    except ClientDisconnect:
        raise SenderError("The request was broken off.") from None


def _json(content: object) -> Response:
    return Response(msgspec.json.encode(content), media_type="application/json")
