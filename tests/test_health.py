"""What a load balancer is told: a process lives, and it is ready while its stores answer."""

from __future__ import annotations

import json
from typing import Any

import pytest

from strata.access import Access
from strata.errors import Unavailable
from strata.serve import site
from strata.settings import Settings, read
from strata.wiring import Platform


class Bus:
    """A bus whose store may be away."""

    away = False

    async def backlog(self) -> dict[str, int]:
        if self.away:
            raise Unavailable("the records cannot be read")
        return {"ledger": 3}


@pytest.fixture
def settings(tmp_path: Any) -> Settings:
    return read({}, {"STRATA_HOME": str(tmp_path)})


async def get(platform: Platform, path: str) -> tuple[int, dict[str, Any]]:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    scope = {"type": "http", "method": "GET", "path": path, "headers": [], "client": ("127.0.0.1", 1)}
    await site(platform)(scope, receive, send)
    return sent[0]["status"], json.loads(sent[1]["body"])


async def test_a_process_is_ready_while_its_stores_answer_and_lives_without_them(settings: Settings):
    bus = Bus()
    platform = Platform(settings, ("reporting",), Access.of(settings.policies), buses={"reporting": bus}, version="v7")  # type: ignore[dict-item]
    platform.layers["reporting"] = object()
    assert await get(platform, "/readyz") == (
        200,
        {"status": "ready", "roles": ["reporting"], "backlog": {"reporting": {"ledger": 3}}, "settings": "v7"},
    )
    bus.away = True
    status, problem = await get(platform, "/readyz")
    assert (status, problem["type"]) == (503, "urn:strata:problem:unavailable")
    assert "the records cannot be read" in problem["detail"]
    assert (await get(platform, "/healthz"))[0] == 200
