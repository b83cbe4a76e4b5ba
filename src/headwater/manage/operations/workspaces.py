"""The workspace, and the operation that tests a connection (contract: public-api 9, Workspaces and testing)."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from headwater.manage.answers import Shape, WorkspaceShape
from headwater.manage.desk import Desk
from headwater.manage.operation import operation
from headwater.manage.problems import Problem, Refused

_MAX_DELAY = 10_000


class GetWorkspace(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Nothing is asked: the token belongs to one workspace."""


class GetWorkspaceAnswer(Shape, frozen=True, kw_only=True):
    """The workspace."""

    workspace: WorkspaceShape


@operation("GET", "/", scope="workspace:read", tag="Workspaces")
async def get_workspace(desk: Desk, request: GetWorkspace) -> GetWorkspaceAnswer:
    """Show the workspace that the token belongs to."""
    workspace = await desk.workspace()
    return GetWorkspaceAnswer(workspace=WorkspaceShape(id=workspace.id, slug=workspace.slug, name=workspace.name))


class Echo(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What to answer, and how."""

    message: Annotated[str, Meta(description="Text to send back.")]
    delay: Annotated[int, Meta(ge=0, le=_MAX_DELAY, description="Milliseconds to wait before the answer.")] = 0
    trigger_error: Annotated[bool, Meta(description="Answer with an error that carries the message.")] = False
    trigger_multiple_errors: Annotated[bool, Meta(description="Answer with several errors.")] = False
    trigger_unexpected_error: Annotated[bool, Meta(description="Answer as if the house had failed.")] = False
    status_code: Annotated[int | None, Meta(description="The status of a triggered error.")] = None


class EchoAnswer(Shape, frozen=True, kw_only=True):
    """What was sent."""

    method: Literal["get", "post"]
    message: str
    headers: dict[str, Any]


@operation("GET", "/echo", scope="workspace:read", tag="Testing")
async def echo(desk: Desk, request: Echo) -> EchoAnswer:
    """Send a message back, late or as an error if that is asked for."""
    await asyncio.sleep(request.delay / 1000)
    wanted = request.status_code if request.status_code is not None and 400 <= request.status_code < 600 else None
    if request.trigger_error:
        raise Refused([Problem("bad-request", request.message)], status=wanted or 400)
    if request.trigger_multiple_errors:
        problems = [Problem("bad-request", f"{request.message} ({number})") for number in (1, 2)]
        raise Refused(problems, status=wanted or 400)
    if request.trigger_unexpected_error:
        raise Refused([Problem("internal", request.message)], status=wanted or 500)
    return EchoAnswer(method="get", message=request.message, headers={})
