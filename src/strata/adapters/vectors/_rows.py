"""A chunk as a row of an Arrow table and back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from strata.errors import Invalid
from strata.types import Chunk

SHOWN = ["id", "access", "chunk"]

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Chunk)


def table(chunks: Sequence[Chunk], vectors: Sequence[Sequence[float]]) -> pa.Table:
    """One row per chunk: what is searched and filtered in columns of its own, the whole chunk as JSON beside them.

    The vectors are scaled to length 1, so that their dot product is the cosine.
    """
    try:
        matrix = np.asarray(vectors, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise Invalid(f"the vectors are not rows of numbers: {error}") from error
    if matrix.ndim != 2 or not np.isfinite(matrix).all():
        raise Invalid("the vectors must be finite numbers, one row per chunk")
    lengths = np.linalg.norm(matrix, axis=1, keepdims=True)
    matrix = np.divide(matrix, lengths, out=np.zeros_like(matrix), where=lengths > 0)
    flat = pa.array(matrix.reshape(-1), pa.float32())
    return pa.table(
        {
            "id": [chunk.id for chunk in chunks],
            "document": [chunk.document for chunk in chunks],
            "corpus": [chunk.corpus for chunk in chunks],
            "access": [chunk.access for chunk in chunks],
            "context": [chunk.context for chunk in chunks],
            "chunk": pa.array([_encoder.encode(chunk) for chunk in chunks], pa.binary()),
            "vector": pa.FixedSizeListArray.from_arrays(flat, matrix.shape[1]),
        }
    )


def chunk(row: Any) -> Chunk:
    """The chunk of a row; its access label is the column's, which is where a change of label is written."""
    whole = _decoder.decode(row["chunk"])
    return whole if whole.access == row["access"] else replace(whole, access=row["access"])


def unit(vector: Sequence[float]) -> NDArray[np.float32]:
    """The vector scaled to length 1."""
    array = np.asarray(vector, dtype=np.float32)
    if array.ndim != 1 or not np.isfinite(array).all():
        raise Invalid("a question's vector must be one row of finite numbers")
    length = float(np.linalg.norm(array))
    return array / length if length else array
