"""Options in an address are read by the store that it names, and what is wrong with them is told."""

import importlib

import pytest

from strata.errors import Misconfigured

STORES = ["records.sqlite", "vectors.lancedb", "graph.oxigraph", "analytics.duckdb", "objects.s3"]


@pytest.mark.parametrize("store", STORES)
async def test_an_unknown_option_is_refused_with_the_choices(store, tmp_path):
    make = importlib.import_module(f"strata.adapters.{store}").make
    with pytest.raises(Misconfigured, match="'colour'; there are"):
        await make("place?colour=red", home=tmp_path)


@pytest.mark.parametrize(
    ("store", "address"),
    [
        ("records.sqlite", "a.db?durable=perhaps"),
        ("vectors.lancedb", "v?dense_weight=heavy"),
        ("vectors.lancedb", "v?dense_weight=1.5"),
        ("graph.oxigraph", "g?seconds=soon"),
        ("analytics.duckdb", "a?seconds="),
    ],
)
async def test_a_value_that_makes_no_sense_is_refused(store, address, tmp_path):
    make = importlib.import_module(f"strata.adapters.{store}").make
    with pytest.raises(Misconfigured):
        await make(address, home=tmp_path)


async def test_options_of_an_address_count(tmp_path):
    vectors = await importlib.import_module("strata.adapters.vectors.lancedb").make("v?dense_weight=0.7", home=tmp_path)
    assert vectors.dense_weight == 0.7
    await vectors.close()
    s3 = await importlib.import_module("strata.adapters.objects.s3").make(
        "bucket/under?endpoint=http://127.0.0.1:9&region=here", access_key_id="k", secret_access_key="s"
    )
    address = await s3.presign("a", 5)
    assert address.startswith("http://127.0.0.1:9/bucket/under/a?")
