"""The process in which files are parsed: it may compute and read its own libraries, and nothing else.

It takes one file after the other from its standard input and answers on its standard output. Limits on memory and on
written files are the operating system's; time is watched by the parent, which ends a worker that takes too long.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, BinaryIO

import msgspec

from strata.data.media import sniff
from strata.data.parser import Unreadable
from strata.data.registry import parser, registry
from strata.types import ParsedText

HEAD = 8
READY = b"ready\n"

_FORBIDDEN = (
    "socket.connect", "socket.bind", "socket.sendto", "socket.sendmsg", "socket.getaddrinfo", "subprocess.Popen",
    "os.exec", "os.posix_spawn", "os.fork", "os.forkpty", "os.system", "os.remove", "os.rename", "os.mkdir", "os.chmod",
    "os.link", "os.symlink", "os.truncate", "shutil.rmtree",
)  # fmt: skip
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_NEW_NETWORK = 0x40000000
_NEW_USER = 0x10000000
_PARENT_DEATH_SIGNAL = 1


@dataclass(frozen=True, slots=True)
class Job:
    """A file to parse."""

    name: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """A file's text, or the reason why there is none."""

    media: str
    parsed: ParsedText | None = None
    reason: str = ""


def read(job: Job) -> Answer:
    """Parse a file in this process; whatever goes wrong becomes a reason."""
    media = sniff(job.data, job.name) if job.data else "application/octet-stream"
    try:
        if not job.data:
            raise Unreadable("the file is empty")
        return Answer(media, parser(media).parse(job.data, job.name))
    except Unreadable as error:
        return Answer(media, reason=error.detail)
    except MemoryError:
        return Answer(media, reason="the file takes more memory to read than is allowed")
    except RecursionError:
        return Answer(media, reason="the file's structure is nested too deeply to be read")
    except Exception as error:  # a parser's library met something that it was not made for
        return Answer(media, reason=f"the file is broken or of an unusual kind ({type(error).__name__})")


def main() -> None:
    """Serve until the parent closes the pipe. Arguments: bytes of memory, bytes of the longest answer."""
    memory, longest = int(sys.argv[1]), int(sys.argv[2])
    source, sink = sys.stdin.buffer, _own_output()
    registry()
    _confine(memory)
    sink.write(READY)
    sink.flush()
    while (frame := _receive(source)) is not None:
        answer = read(msgspec.msgpack.decode(frame, type=Job))
        body = msgspec.msgpack.encode(answer)
        if len(body) > longest:
            body = msgspec.msgpack.encode(Answer(answer.media, reason=f"the file holds more than {longest:,} bytes"))
        del answer, frame
        sink.write(len(body).to_bytes(HEAD, "big"))
        sink.write(body)
        sink.flush()


def _own_output() -> BinaryIO:
    """The pipe to the parent; what a library prints goes nowhere instead."""
    kept = os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    return kept


def _receive(source: BinaryIO) -> bytes | None:
    head = source.read(HEAD)
    if len(head) < HEAD:
        return None
    size = int.from_bytes(head, "big")
    frame = source.read(size)
    return frame if len(frame) == size else None


def _confine(memory: int) -> None:
    sys.dont_write_bytecode = True
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        libc.prctl(_PARENT_DEATH_SIGNAL, signal.SIGKILL)
        if libc.unshare(_NEW_NETWORK) != 0:
            libc.unshare(_NEW_USER | _NEW_NETWORK)
    for limit, value in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, 128),
    ):
        with suppress(ValueError, OSError):
            resource.setrlimit(limit, (value, value))
    sys.addaudithook(_refuse)


def _refuse(event: str, arguments: tuple[Any, ...]) -> None:
    if event in _FORBIDDEN or (event == "open" and arguments[2] & _WRITING and arguments[0] != os.devnull):
        raise PermissionError(f"{event} is not allowed while parsing")


if __name__ == "__main__":
    main()
