"""The checks that an Office file (a ZIP of XML parts) must pass before a parser opens it."""

from __future__ import annotations

import io
import zipfile

from strata.data.parser import Unreadable

MAX_UNPACKED = 1024 * 1024 * 1024
MAX_RATIO = 200
MAX_PARTS = 20_000


def open_package(data: bytes) -> io.BytesIO:
    """The file, ready to be opened; raises `Unreadable` for a broken one, a ZIP bomb, or XML with a DTD (which could
    name other files or expand without end).
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as package:
            _check(package, len(data))
    except (zipfile.BadZipFile, NotImplementedError, EOFError, OSError, RuntimeError, ValueError) as error:
        raise Unreadable("the file is broken: it is not a complete Office document") from error
    return io.BytesIO(data)


def _check(package: zipfile.ZipFile, packed: int) -> None:
    parts = package.infolist()
    unpacked = sum(part.file_size for part in parts)
    if len(parts) > MAX_PARTS or unpacked > MAX_UNPACKED or (unpacked > 50_000_000 and unpacked > packed * MAX_RATIO):
        raise Unreadable(f"the file unpacks from {packed:,} to {unpacked:,} bytes, which is more than is safe to read")
    for part in parts:
        if part.filename.endswith((".xml", ".rels")):
            with package.open(part) as stream:
                head = stream.read(4096)
            if b"<!DOCTYPE" in head or b"<!ENTITY" in head or b"<\x00!\x00D\x00O\x00C" in head:
                raise Unreadable("the file holds XML with a document type declaration, which Office never writes")
