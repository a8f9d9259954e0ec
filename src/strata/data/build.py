"""The data layer, put together from its options and the stores that it is handed."""

from __future__ import annotations

from strata.access import Access
from strata.contracts import Gateway
from strata.data.catalog import Catalog
from strata.data.indexing import Indexer
from strata.data.library import DocumentLibrary
from strata.data.options import Options
from strata.data.pool import ParserPool
from strata.data.search import Searcher
from strata.data.split import Splitter
from strata.data.tokens import minilm
from strata.data.upkeep import Upkeep
from strata.ports.graph import Graph
from strata.ports.objects import Objects
from strata.ports.records import Records
from strata.ports.vectors import Vectors

VERSION = 6
"""Raised whenever parsing or splitting changes what passages come out: documents are then made anew when next seen."""


async def build(
    options: Options,
    *,
    tenant: str,
    objects: Objects,
    records: Records,
    vectors: Vectors,
    graph: Graph,
    gateway: Gateway,
    access: Access,
) -> DocumentLibrary:
    """The tenant's library. Parsers' processes start with the first file; the stores are tidied `optimize_every`
    seconds after a change, and after the start, for what an earlier process left.
    """
    catalog = Catalog(tenant, records)
    indexer = Indexer(
        catalog=catalog,
        objects=objects,
        vectors=vectors,
        graph=graph,
        gateway=gateway,
        parsers=ParserPool(options.workers, options.parse_seconds, options.parse_memory, options.parse_seconds_per_mb),
        splitter=Splitter(minilm(), options.chunk_tokens, options.overlap_tokens),
        pipeline=pipeline(options),
        embedding=options.embedding,
        embed_batch=options.embed_batch,
    )
    upkeep = Upkeep(indexer.tidy, options.optimize_every)
    upkeep.touch()
    return DocumentLibrary(
        tenant=tenant,
        corpora={corpus.id: corpus for corpus in options.corpora},
        max_bytes=options.max_bytes,
        catalog=catalog,
        objects=objects,
        indexer=indexer,
        searcher=Searcher(catalog, vectors, gateway, access, options.embedding, options.candidates),
        upkeep=upkeep,
        access=access,
    )


def pipeline(options: Options) -> str:
    """The settings that decide what passages a document gives, as one word."""
    return f"{VERSION}/{options.embedding}/{options.chunk_tokens}+{options.overlap_tokens}"
