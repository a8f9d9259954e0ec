"""Which parser reads which media type: the files in `parsers/`, and strangers' by the entry point `strata.parser`."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from importlib.metadata import entry_points

from strata.data import parsers
from strata.data.media import why_not
from strata.data.parser import Parser, Unreadable


@cache
def registry() -> dict[str, str]:
    """Media type → the name of the module that reads it. Modules import their libraries when they first parse."""
    names = [f"{parsers.__name__}.{found.name}" for found in pkgutil.iter_modules(parsers.__path__)]
    names += [point.value for point in entry_points(group="strata.parser")]
    return {media: name for name in names for media in importlib.import_module(name).MEDIA}


@cache
def parser(media: str) -> Parser:
    """The parser of a media type; raises `Unreadable` with what the sender can do when there is none."""
    name = registry().get(media)
    if name is None:
        raise Unreadable(why_not(media))
    made: Parser = importlib.import_module(name).make()
    return made
