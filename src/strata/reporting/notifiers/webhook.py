"""Posts alarms as JSON to one configured address, and to nowhere else: redirects are not followed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import msgspec

from strata.errors import Misconfigured, Unavailable
from strata.events import BudgetCrossed
from strata.reporting.notifier import explanation, headline

OPTIONS = {"url", "headers", "timeout"}


@dataclass(frozen=True, slots=True)
class WebhookNotifier:
    """`timeout` in seconds, for all of a post. The host's proxy settings are not looked at."""

    url: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    timeout: float = 10.0

    async def tell(self, alarm: BudgetCrossed) -> None:
        body = {"kind": alarm.kind, "event": alarm, "title": headline(alarm), "text": explanation(alarm)}
        headers = {**self.headers, "content-type": "application/json"}
        try:
            async with (
                aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=self.timeout)) as http,
                http.post(self.url, data=msgspec.json.encode(body), headers=headers, allow_redirects=False) as response,
            ):
                status = response.status
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise Unavailable(f"the webhook at {self._host} cannot be reached: {type(error).__name__}") from error
        if not 200 <= status < 300:
            raise Unavailable(f"the webhook at {self._host} answered {status}")

    @property
    def _host(self) -> str:
        return urlsplit(self.url).hostname or ""


def make(options: Mapping[str, Any]) -> WebhookNotifier:
    """`url` (http or https), and where wanted `headers` (texts by name) and `timeout` (seconds)."""
    wrong = [f"the webhook notifier has no option {name!r}" for name in sorted(options.keys() - OPTIONS)]
    url, headers, timeout = options.get("url", ""), options.get("headers", {}), options.get("timeout", 10.0)
    if not _is_address(url):
        wrong.append("the webhook notifier needs a `url` that begins with https:// or http:// and names a host")
    if not isinstance(headers, Mapping) or not all(isinstance(value, str) for value in headers.values()):
        wrong.append("the webhook notifier's `headers` must be texts by name")
    if not isinstance(timeout, int | float) or timeout <= 0:
        wrong.append("the webhook notifier's `timeout` must be a number of seconds above zero")
    if wrong:
        raise Misconfigured(wrong)
    return WebhookNotifier(url, dict(headers), float(timeout))


def _is_address(url: Any) -> bool:
    if not isinstance(url, str):
        return False
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname)
