"""What stands between the gateway and a model: one file in `providers/` for each dialect.

A provider file offers `make(row: str, deployment: Deployment) -> Provider`, where `row` is what stood behind the colon
in the setting (`openai:groq` → `groq`).

The gateway's own dialect is OpenAI's: requests and answers are the JSON objects of `/v1/chat/completions` and
`/v1/embeddings`, as parsed by the door. A provider translates from and to its vendor's; fields that it does not know
it leaves in place for a vendor of the same dialect.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

from strata.types import Json


class Provider(Protocol):
    """Calls one vendor. Translates the vendor's errors, once and here, into `UpstreamRefused` (the request is at
    fault), `RateLimited` (with `retry_after`) or `UpstreamBroken` (the vendor is), so that a router can tell whether
    another deployment may help. A call that is cancelled stops the vendor's work as far as the vendor allows.
    """

    async def chat(self, request: Json) -> Json:
        """A `chat.completion` object with `choices` and, where the vendor counts, `usage`."""
        ...

    def stream(self, request: Json) -> AsyncIterator[list[Json]]:
        """`chat.completion.chunk` objects in order, those that arrived together in one list, so that they can be
        passed on together. The last one (or one after it without choices) has `usage` where the vendor counts it; any
        chunk may carry the `usage` so far, and the latest counts. Raises before the first chunk, or ends with an error.
        """
        ...

    async def embed(self, request: Json) -> Json:
        """A `list` object with `data` (`embedding` as a list of floats, or base64 where asked) and `usage`."""
        ...

    def count(self, text: str) -> int:
        """Tokens of the text: exact where the provider has the tokenizer, otherwise an upper bound."""
        ...

    async def warm(self) -> None:
        """Load whatever the first call would have to wait for. Doing it twice changes nothing."""
        ...

    async def close(self) -> None: ...
