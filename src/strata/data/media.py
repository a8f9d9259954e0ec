"""What a file is: told by its bytes first, by its name second, and never by its sender's word alone."""

from __future__ import annotations

import io
import re
import zipfile
from pathlib import PurePosixPath

TEXT = "text/plain"
MARKDOWN = "text/markdown"
HTML = "text/html"
CSV = "text/csv"
EMAIL = "message/rfc822"
PDF = "application/pdf"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
PPTX = "application/vnd.openxmlformats-officedocument.presentationml.presentation"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
UNKNOWN = "application/octet-stream"

_TEXT_SUFFIXES = {
    ".md": MARKDOWN,
    ".markdown": MARKDOWN,
    ".html": HTML,
    ".htm": HTML,
    ".xhtml": HTML,
    ".csv": CSV,
    ".tsv": CSV,
    ".eml": EMAIL,
}
_PARTS = (("word/", DOCX), ("ppt/", PPTX), ("xl/", XLSX))
_MAGIC = (
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "application/x-ole-storage"),
    (b"{\\rtf", "application/rtf"),
    (b"\x89PNG\r\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
    (b"\x1f\x8b", "application/gzip"),
    (b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (b"Rar!", "application/vnd.rar"),
    (b"\x7fELF", "application/x-elf"),
    (b"MZ", "application/x-msdownload"),
)
_HTML = re.compile(
    rb"^\s*(?:<\?xml[^>]*\?>\s*)?(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html|head|body)\b", re.IGNORECASE | re.DOTALL
)
_HEADER = re.compile(
    rb"^(?:From|To|Received|Return-Path|Delivered-To|Subject|Date|Message-ID|MIME-Version):",
    re.IGNORECASE | re.MULTILINE,
)


def sniff(data: bytes, name: str) -> str:
    """The media type of a file; `application/octet-stream` when neither bytes nor name tell."""
    head = data[:4096]
    if b"%PDF-" in head[:1024]:
        return PDF
    if head.startswith(b"PK\x03\x04"):
        return _package(data)
    for magic, media in _MAGIC:
        if head.startswith(magic) and not (magic == b"MZ" and _looks_like_text(head)):
            return media
    if not _looks_like_text(head):
        return UNKNOWN
    return _text(head, PurePosixPath(name).suffix.lower())


def _text(head: bytes, suffix: str) -> str:
    if suffix in _TEXT_SUFFIXES and suffix != ".eml":
        return _TEXT_SUFFIXES[suffix]
    top = (head.replace(b"\x00", b"") if wide(head) else head).lstrip().split(b"\n\n", 1)[0].split(b"\r\n\r\n", 1)[0]
    headers = {match.group(0).lower() for match in _HEADER.finditer(top)}
    if suffix == ".eml" or len(headers) >= 3:
        return EMAIL
    return HTML if _HTML.match(head) else TEXT


def _looks_like_text(head: bytes) -> bool:
    if head.startswith((b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf", b"\x00\x00\xfe\xff")):
        return True
    if b"\x00" in head:
        return wide(head) != ""
    odd = sum(byte < 32 and byte not in b"\t\n\r\f\x1b\x08" for byte in head)
    return odd <= len(head) // 50


def wide(head: bytes) -> str:
    """The UTF-16 encoding of bytes without a byte order mark, empty when they are none: every other byte is zero."""
    half = len(head) // 2
    for encoding, zeros in (("utf-16-le", head[1::2]), ("utf-16-be", head[0::2])):
        if half > 8 and zeros.count(0) > 0.8 * half and head.count(0) < 1.1 * half:
            return encoding
    return ""


def _package(data: bytes) -> str:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as package:
            names = package.namelist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError):
        return "application/zip"
    if "[Content_Types].xml" in names:
        for folder, media in _PARTS:
            if any(name.startswith(folder) for name in names):
                return media
    if "mimetype" in names:
        return "application/vnd.oasis.opendocument"
    return "application/zip"


REASONS = {
    "application/x-ole-storage": "it is protected with a password or in an old Office format (.doc, .xls, .ppt, .msg): "
    "save it without a password as .docx, .xlsx, .pptx or .eml",
    "application/rtf": "RTF is not read: save it as .docx or PDF",
    "application/vnd.oasis.opendocument": "OpenDocument files are not read: save it as .docx, .xlsx, .pptx or PDF",
    "application/zip": "archives are not read: send the files in it one by one",
    "application/gzip": "archives are not read: send the files in it one by one",
    "application/x-7z-compressed": "archives are not read: send the files in it one by one",
    "application/vnd.rar": "archives are not read: send the files in it one by one",
    "image/png": "it is an image, and text in images is not recognised",
    "image/jpeg": "it is an image, and text in images is not recognised",
    "image/gif": "it is an image, and text in images is not recognised",
    "image/tiff": "it is an image, and text in images is not recognised",
}


def why_not(media: str) -> str:
    """Why files of a media type that no parser reads are refused, and what the sender can do."""
    return REASONS.get(media, f"files of type {media} are not read")
