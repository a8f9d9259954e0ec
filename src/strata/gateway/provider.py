"""What stands between the gateway and a model: one file in `providers/` for each vendor that has its own dialect.

A provider file offers `make(row: str, deployment: Deployment) -> Provider`, where `row` is what stood behind the colon
in the setting (`openai:groq` → `groq`), and, where the vendor charges, `price_list(row) -> str`: its name in the
published prices. A provider whose vendor adds to a prompt what the request does not hold (results of its own tools)
offers `hidden(operation, request) -> int` too: how many tokens that is at the most, for the reservation.

The gateway's own dialect is OpenAI's: `chat` is the JSON of `/v1/chat/completions`, `embeddings` that of
`/v1/embeddings`, as parsed by the door, and every provider of chat models takes `chat`. What else it takes as it is
(`messages`, `responses`, `rerank` …) it lists in `operations`: such a request goes to the vendor untouched, with the
fields that only the vendor knows, and other dialects are translated to `chat` before.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Literal, Protocol

from strata.types import Json

Operation = Literal[
    "chat", "messages", "responses", "embeddings", "rerank", "images", "speech", "transcriptions", "count_tokens"
]


class Provider(Protocol):
    """Calls one vendor. Translates the vendor's errors, once and here, into `UpstreamRefused` (the request is at
    fault), `RateLimited` (with `retry_after`) or `UpstreamBroken` (the vendor is), so that a router can tell whether
    another deployment may help. A call that is cancelled stops the vendor's work as far as the vendor allows.

    In `chat`, reasoning is `reasoning_content`; `prompt_tokens` include those cached and those written to a cache
    (`prompt_tokens_details.cached_tokens`, `.cache_creation_tokens`), `completion_tokens` include reasoning.
    """

    @property
    def operations(self) -> frozenset[str]:
        """The operations that it takes as they are."""
        ...

    async def whole(self, operation: str, request: Json) -> Json:
        """The whole answer in the operation's dialect. The request may be changed."""
        ...

    def stream(self, operation: str, request: Json) -> AsyncIterator[list[Json]]:
        """The pieces of the answer in the operation's dialect (for `chat`: `chat.completion.chunk` objects) in order,
        those that arrived together in one list, so that they can be passed on together. In `chat` the last one (or one
        after it without choices) has `usage` where the vendor counts it; any chunk may carry the `usage` so far, and
        the latest counts. Raises before the first piece, or ends with an error.
        """
        ...

    def count(self, text: str) -> int:
        """Tokens of the text: exact where the provider has the tokenizer, otherwise an upper bound."""
        ...

    async def warm(self) -> None:
        """Load whatever the first call would have to wait for. Doing it twice changes nothing."""
        ...

    async def close(self) -> None: ...
