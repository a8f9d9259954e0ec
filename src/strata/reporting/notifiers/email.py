"""Sends alarms as e-mail through a mail server of the organisation."""

from __future__ import annotations

import asyncio
import smtplib
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from email.message import EmailMessage
from typing import Any, Literal

import msgspec

from strata.errors import Misconfigured, Unavailable
from strata.events import BudgetCrossed
from strata.reporting.notifier import explanation, headline

Security = Literal["starttls", "tls", "none"]


@dataclass(frozen=True, slots=True)
class EmailNotifier:
    """`security` is how the connection is protected; a password is only ever sent over a protected one.

    `timeout` in seconds, for each step of the conversation with the server.
    """

    host: str
    sender: str
    to: tuple[str, ...]
    port: int = 587
    security: Security = "starttls"
    user: str = ""
    password: str = field(default="", repr=False)
    timeout: float = 10.0

    async def tell(self, alarm: BudgetCrossed) -> None:
        try:
            await asyncio.to_thread(self._send, self._letter(alarm))
        except (OSError, smtplib.SMTPException) as error:
            raise Unavailable(f"the mail server {self.host} did not take the notice: {type(error).__name__}") from error

    def _letter(self, alarm: BudgetCrossed) -> EmailMessage:
        letter = EmailMessage()
        letter["From"] = self.sender
        letter["To"] = ", ".join(self.to)
        letter["Subject"] = " ".join(headline(alarm).split())
        letter["Message-ID"] = f"<{alarm.id}@{self.sender.rpartition('@')[2]}>"
        letter.set_content(f"{headline(alarm)}.\n{explanation(alarm)}\n")
        return letter

    def _send(self, letter: EmailMessage) -> None:
        protection = ssl.create_default_context()
        server: smtplib.SMTP
        if self.security == "tls":
            server = smtplib.SMTP_SSL(self.host, self.port, timeout=self.timeout, context=protection)
        else:
            server = smtplib.SMTP(self.host, self.port, timeout=self.timeout)
        with server:
            if self.security == "starttls":
                server.starttls(context=protection)
            if self.user:
                server.login(self.user, self.password)
            server.send_message(letter)


def make(options: Mapping[str, Any]) -> EmailNotifier:
    """`host`, `sender`, `to` (addresses), and where wanted `port`, `security`, `user`, `password`, `timeout`."""
    unknown = sorted(options.keys() - {item.name for item in fields(EmailNotifier)})
    wrong = [f"the email notifier has no option {name!r}" for name in unknown]
    known = {name: value for name, value in options.items() if name not in unknown}
    try:
        notifier = msgspec.convert(known, EmailNotifier)
    except msgspec.ValidationError as error:
        raise Misconfigured([*wrong, f"the email notifier: {error}"]) from error
    if not notifier.to:
        wrong.append("the email notifier's `to` names nobody")
    if notifier.user and notifier.security == "none":
        wrong.append("the email notifier would send its password unprotected; set `security` to starttls or tls")
    if wrong:
        raise Misconfigured(wrong)
    return notifier
