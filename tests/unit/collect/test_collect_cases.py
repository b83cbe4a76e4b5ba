"""Golden cases of collect: a request in; status, record and source out (tests/cases/collect)."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from collect_doubles import Answered, Api, basic

from headwater.spec.outcome import REASONS, Step

CASES = Path(__file__).parents[2] / "cases" / "collect"


def cases() -> list[Any]:
    return [
        pytest.param(case, id=f"{path.stem}: {case['why']}")
        for path in sorted(CASES.glob("*.yaml"))
        for case in yaml.safe_load(path.read_text())
    ]


def body_of(case: dict[str, Any]) -> bytes:
    """The body that a case describes: JSON, text, hexadecimal, or something of a size."""
    if "hex" in case:
        return bytes.fromhex(case["hex"])
    if "text" in case:
        return case["text"].encode()
    if "bytes" in case:
        filler = case.get("filler", "x")
        body = json.dumps({"userId": "u1", "event": "E", "x": ""}).encode()
        room = case["bytes"] - len(body)
        width = len(filler.encode())
        return body[:-2] + filler.encode() * (room // width) + b"x" * (room % width) + body[-2:]
    if "depth" in case:
        nest = b"[" * case["depth"] + b"]" * case["depth"]
        return b'{"userId":"u1","event":"E","batch":[],"x":{"y":' + nest + b"}}"
    if "items" in case:
        return json.dumps({"batch": [{"type": "page", "userId": "u1"}] * case["items"]}).encode()
    return json.dumps(case.get("body", {}), ensure_ascii=False).encode()


def headers_of(case: dict[str, Any]) -> dict[str, str | list[str]]:
    if "authorization" in case:
        return {"authorization": case["authorization"]}
    if "query" in case:
        return {}
    key = case.get("key", "k1")
    return {} if key is None else {"authorization": basic(key)}


@pytest.mark.parametrize("case", cases())
def test_case(case: dict[str, Any]) -> None:
    async def play() -> tuple[Answered, list[Any]]:
        api = Api()
        if "query" in case:
            answer = await api.send(case["path"], method="GET", query_string=case["query"])
        else:
            answer = await api.send(case["path"], body_of(case), headers=headers_of(case))
        return answer, await api.kept()

    answer, kept = asyncio.run(play())
    status = case.get("status", 200)
    assert answer.status == status
    assert len(kept) == 1, "every call leaves exactly one record"
    header, record = kept[0]
    assert header.refused == case.get("refused", "")
    assert header.refused == "" or header.refused in REASONS[Step.FAILED_ON_INGEST]
    if "query" in case:
        assert answer.headers["content-type"] == "image/gif"
        assert header.direct
    elif status == 200:
        assert answer.json == {"success": True}
    else:
        assert answer.json["success"] is False
        assert answer.json["code"] == header.refused
        assert answer.json["message"] == answer.json["error"] != ""
        assert answer.json.get("field") == case.get("field")
        assert case.get("field", "") in answer.json["message"]
    if "kind" in case:
        assert header.kind == case["kind"]
    if "direct" in case:
        assert header.direct is case["direct"]
    if "source" in case:
        assert header.source_id == case["source"]
    if "kept" in case:
        assert json.loads(record.value) == json.loads(case["kept"])
    elif status == 200 and "query" not in case and "items" not in case:
        assert record.value == body_of(case), "what is JSON is kept as it came"
