"""E-mail messages: who wrote to whom, when and about what, then the text; attachments are named."""

from __future__ import annotations

import codecs
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from strata.data.decoding import decode
from strata.data.draft import Draft, one_line
from strata.data.media import wide
from strata.data.parser import Parser, Unreadable
from strata.data.webpage import write_html
from strata.types import ParsedText

MEDIA = ("message/rfc822",)

_HEADERS = ("From", "To", "Cc", "Date", "Subject")


def make() -> Parser:
    return Email()


@dataclass(frozen=True, slots=True)
class Email:
    """Plain text is preferred; a message that is only HTML is read like a web page."""

    def parse(self, data: bytes, name: str) -> ParsedText:  # noqa: ARG002 - the bytes say it all
        if not data.strip():
            raise Unreadable("the file is empty")
        if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or wide(data[:4096]):
            data = decode(data).encode()
        message = message_from_bytes(data, policy=policy.default)
        if not isinstance(message, EmailMessage) or not any(_header(message, field) for field in _HEADERS):
            raise Unreadable("the file is not an e-mail message: it has no sender, recipient or subject")
        draft = Draft()
        headers = [(field, _header(message, field)) for field in _HEADERS]
        draft.paragraph("\n".join(f"{field}: {value}" for field, value in headers if value))
        _write_body(draft, message)
        names = _attachments(message)
        if names:
            draft.paragraph("Attachments: " + ", ".join(names))
        draft.title = _header(message, "Subject") or "E-mail without a subject"
        return draft.parsed()


def _header(message: EmailMessage, field: str) -> str:
    """A header's value, also when the sender's program wrote it against the rules."""
    try:
        return one_line(str(message.get(field, "")))
    except (ValueError, IndexError, AttributeError, TypeError, LookupError):
        raw = next((value for key, value in message.raw_items() if key.lower() == field.lower()), "")
        return one_line(str(raw))


def _write_body(draft: Draft, message: EmailMessage) -> None:
    try:
        part = message.get_body(preferencelist=("plain", "html"))
    except (AttributeError, KeyError, TypeError):
        part = None
    if part is None:
        part = next((each for each in message.walk() if each.get_content_maintype() == "text"), None)
    if part is None:
        return
    text = _text(part)
    if part.get_content_subtype() == "html":
        kept, draft.title = draft.title, "-"
        write_html(draft, text)
        draft.title = kept
        return
    for paragraph in text.replace("\r\n", "\n").split("\n\n"):
        draft.paragraph(paragraph)


def _text(part: Any) -> str:
    try:
        return str(part.get_content())
    except (LookupError, ValueError, KeyError, AttributeError):
        payload = part.get_payload(decode=True)
        return decode(payload) if isinstance(payload, bytes) and payload.strip() else str(part.get_payload() or "")


def _attachments(message: EmailMessage) -> list[str]:
    names: list[str] = []
    for part in message.walk():
        try:
            name = part.get_filename()
        except (ValueError, TypeError, LookupError):
            name = None
        if name:
            names.append(one_line(str(name)))
    return names
