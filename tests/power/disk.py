"""A disk that may lose its power: SQLite runs on it through apsw, and at any step one can ask what would be left.

A write reaches the platter for certain only with the next sync of its file; until then a power cut may keep it, drop it,
or keep its first sectors. A file that is new, and a file that was removed without syncing the folder, may be there or not.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from pathlib import Path

import apsw

SECTOR = 512


@dataclass
class Track:
    """One file: the bytes that are safe, the writes since then (offset, bytes; or a new length), and its name's fate."""

    safe: bytearray = field(default_factory=bytearray)
    floating: list[tuple[int, bytes] | int] = field(default_factory=list)
    name_is_safe: bool = False
    removed: bool = False

    def sync(self) -> None:
        for change in self.floating:
            _do(self.safe, change)
        self.floating.clear()

    def after_cut(self, keep: float, tear: float, rng: random.Random) -> bytes:
        """The file's bytes when each floating write survives with chance `keep`, and a survivor is torn with `tear`."""
        left = bytearray(self.safe)
        for change in self.floating:
            if rng.random() >= keep:
                continue
            if not isinstance(change, int) and rng.random() < tear:
                sectors = rng.randrange(len(change[1]) // SECTOR + 1)
                change = (change[0], change[1][: sectors * SECTOR])  # noqa: PLW2901
            _do(left, change)
        return bytes(left)


def _do(content: bytearray, change: tuple[int, bytes] | int) -> None:
    if isinstance(change, int):
        del content[change:]
        return
    offset, data = change
    content.extend(b"\0" * (offset + len(data) - len(content)))
    content[offset : offset + len(data)] = data


class Disk(apsw.VFS):
    """A file system that keeps the model beside the real files. `on_step` is called after each thing that happened."""

    def __init__(self, name: str) -> None:
        self.tracks: dict[str, Track] = {}
        self.on_step = lambda: None
        super().__init__(name, "")

    def xOpen(self, name, flags):  # noqa: N802
        return DiskFile(self, name, flags)

    def xDelete(self, filename, syncdir):  # noqa: N802
        super().xDelete(filename, syncdir)
        if Path(filename).name in self.tracks:
            self.tracks[Path(filename).name].removed = True
        if syncdir:
            self.sync_folder()
        self.on_step()

    def sync_folder(self) -> None:
        """From now on the names stand as they are; SQLite does this with the first sync of a new file."""
        self.tracks = {name: track for name, track in self.tracks.items() if not track.removed}
        for track in self.tracks.values():
            track.name_is_safe = True

    def cut(self, rng: random.Random) -> dict[str, bytes]:
        """The files as the next start may find them, were the power to go now."""
        keep, tear = rng.choice([(0.0, 0.0), (1.0, 0.0), (0.5, 0.0), (0.5, 0.7)])
        found = {}
        for name, track in self.tracks.items():
            uncertain = track.removed or not track.name_is_safe
            if not uncertain or rng.random() < 0.5:
                found[name] = track.after_cut(keep, tear, rng)
        return found


class DiskFile(apsw.VFSFile):
    """An open file; every change goes to the real file and to the model."""

    def __init__(self, disk: Disk, name, flags) -> None:
        path = name.filename() if isinstance(name, apsw.URIFilename) else name
        self.disk = disk
        self.track = disk.tracks.setdefault(Path(path or "").name, Track())
        self.track.removed = False
        super().__init__("", name, flags)

    def xWrite(self, data, offset):  # noqa: N802
        super().xWrite(data, offset)
        self.track.floating.append((offset, bytes(data)))
        self.disk.on_step()

    def xTruncate(self, newsize):  # noqa: N802
        super().xTruncate(newsize)
        self.track.floating.append(newsize)
        self.disk.on_step()

    def xSync(self, flags):  # noqa: N802
        super().xSync(flags)
        self.track.sync()
        if not self.track.name_is_safe:
            self.disk.sync_folder()
        self.disk.on_step()


def laid_out(files: dict[str, bytes], place: Path) -> None:
    """Write these files into the folder."""
    for name, content in files.items():
        (place / name).write_bytes(content)
