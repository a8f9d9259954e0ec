"""Where data may go: the shipped policies, asked as the router asks them."""

from dataclasses import replace
from importlib.resources import files

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strata.access import Access
from strata.errors import Forbidden
from strata.gateway.guards.residency import DataFacts, Whereabouts, allowed, area, strictest
from strata.types import EmbedRequest

from .conftest import INES, echo, world

TEXT = (files("strata") / "policies" / "strata.cedar").read_text()
ACCESS = Access.of(TEXT)

AGREEMENTS = st.frozensets(st.sampled_from(["baa", "dpa", "nda", "msa"]))
LABELS = st.frozensets(st.sampled_from(["personal", "health", "secret"]))
REGIONS = st.sampled_from(
    ["", "eu-central-1", "DE", "us-east-1", "US", "eu-west-2", "JP", "moon", "westeurope", "eastus2"]
)
CLASSES = st.sampled_from(["public", "internal", "confidential", "restricted"])


def facts(*labels: str, classification: str = "internal", region: str = "") -> DataFacts:
    return DataFacts(classification, frozenset(labels), region)


def vendor(region: str = "", *agreements: str) -> Whereabouts:
    return Whereabouts(region, frozenset(agreements))


@settings(deadline=None, max_examples=300)
@given(REGIONS, REGIONS, AGREEMENTS, CLASSES, LABELS)
def test_no_combination_lets_health_data_to_a_vendor_without_a_business_associate_agreement(
    tenant, region, agreements, classification, labels
):
    data = DataFacts(classification, labels | {"health"}, tenant)
    reason = allowed(ACCESS, tenant, Whereabouts(region, agreements - {"baa"}), data)
    assert reason is not None
    assert "baa" in reason


@settings(deadline=None, max_examples=300)
@given(REGIONS, AGREEMENTS, st.booleans(), CLASSES, LABELS)
def test_personal_data_of_the_eu_leaves_it_only_under_an_agreement_or_to_an_adequate_region(
    region, agreements, own, classification, labels
):
    data = DataFacts(classification, labels | {"personal"})
    reason = allowed(ACCESS, "eu-central-1", Whereabouts(region, agreements - {"dpa"}, own), data)
    stays = area(region) in {"eu", "adequate"} or (own and not region)
    assert stays or reason is not None


@settings(deadline=None, max_examples=200)
@given(REGIONS, AGREEMENTS, LABELS)
def test_more_agreements_never_close_a_way_that_was_open(region, agreements, labels):
    data = DataFacts("restricted", labels)
    if allowed(ACCESS, "DE", Whereabouts(region, agreements), data) is None:
        assert allowed(ACCESS, "DE", Whereabouts(region, agreements | {"baa", "dpa"}), data) is None


def test_internal_data_without_labels_goes_anywhere():
    assert allowed(ACCESS, "DE", vendor("us-east-1"), facts()) is None
    assert allowed(ACCESS, "", vendor(), facts(classification="confidential")) is None


def test_restricted_data_needs_an_own_deployment_or_an_agreement():
    data = facts(classification="restricted")
    assert "restricted" in allowed(ACCESS, "", vendor("us-east-1"), data)
    assert allowed(ACCESS, "", vendor("us-east-1", "nda"), data) is None
    assert allowed(ACCESS, "", Whereabouts(own=True), data) is None


def test_a_signed_baa_lets_health_data_of_a_tenant_in_the_united_states_through():
    assert allowed(ACCESS, "us-east-1", vendor("us-east-1", "baa"), facts("health")) is None


def test_a_baa_alone_does_not_let_eu_health_data_leave_the_eu():
    assert "dpa" in allowed(ACCESS, "DE", vendor("us-east-1", "baa"), facts("health"))
    assert allowed(ACCESS, "DE", vendor("us-east-1", "baa", "dpa"), facts("health")) is None
    assert allowed(ACCESS, "DE", vendor("eu-central-1", "baa"), facts("health")) is None


def test_people_in_the_eu_are_protected_when_the_tenant_is_elsewhere():
    assert "EU" in allowed(ACCESS, "us-east-1", vendor("us-east-1"), facts("personal", region="FR"))


def test_a_region_of_people_that_is_not_recognised_counts_as_the_eu():
    assert allowed(ACCESS, "Middle-earth", vendor("us-east-1"), facts("personal")) is not None


def test_a_vendor_that_does_not_say_where_it_is_gets_no_personal_data_of_the_eu():
    assert allowed(ACCESS, "DE", vendor(), facts("personal")) is not None


def test_a_model_in_this_process_takes_everything():
    data = facts("personal", "health", classification="restricted")
    assert allowed(ACCESS, "DE", Whereabouts(own=True), data) is None


def test_a_classification_that_is_not_known_goes_nowhere():
    assert allowed(ACCESS, "", Whereabouts(own=True), facts(classification="top secret")) is not None


def test_a_policy_that_cannot_be_evaluated_lets_nothing_out():
    broken = Access.of(TEXT + 'forbid (principal, action == Action::"send", resource) when { context.no_such_fact };')
    assert "evaluated" in allowed(broken, "", Whereabouts(own=True), facts())


def test_without_policies_nothing_is_sent():
    assert allowed(Access.of(""), "", Whereabouts(own=True), facts()) == "no policy permits it"


def test_an_operator_adds_a_rule_in_a_policy_file():
    stricter = Access.of(
        TEXT
        + '@id("nothing leaves for area other") forbid (principal, action == Action::"send", resource)'
        + ' when { resource.area == "other" };'
    )
    assert allowed(stricter, "", vendor("us-east-1"), facts()) == "nothing leaves for area other"
    assert allowed(stricter, "", vendor("eu-west-1"), facts()) is None


@pytest.mark.parametrize(
    ("region", "expected"),
    [
        ("eu-central-1", "eu"), ("eu-west-1", "eu"), ("europe-west4", "eu"), ("europe-west12", "eu"), ("eu", "eu"),
        ("West Europe", "eu"), ("East US 2", "other"), ("westeurope", "eu"), ("germanywestcentral", "eu"), ("NO", "eu"),
        ("eu-west-2", "adequate"), ("eu-central-2", "adequate"), ("europe-west2", "adequate"), ("uksouth", "adequate"),
        ("switzerlandnorth", "adequate"), ("JP", "adequate"), ("ca-central-1", "adequate"),
        ("us-east-1", "other"), ("eastus2", "other"), ("US", "other"), ("asia-southeast1", "other"),
        ("eurasia-1", "unknown"), ("moon", "unknown"), ("", "unstated"),
    ],
)  # fmt: skip
def test_regions_as_vendors_write_them(region, expected):
    assert area(region) == expected


def test_the_strictest_classification_counts():
    assert strictest("public", "restricted", "internal") == "restricted"
    assert strictest("internal", "made-up") == "made-up"
    assert strictest() == "internal"


async def test_a_restricted_document_is_embedded_by_no_vendor_without_an_agreement():
    own, vendor = echo(kind="embedding"), replace(echo("vendor", kind="embedding"), provider="echo")
    async with world(own, vendor) as it:
        places = {**it.gateway.borders.places, "vendor": Whereabouts(region="us-east-1")}
        gateway = replace(it.gateway, borders=replace(it.gateway.borders, places=places))
        await gateway.embed(INES, EmbedRequest("echo", ("x",), classification="restricted"))
        with pytest.raises(Forbidden):
            await gateway.embed(INES, EmbedRequest("vendor", ("x",), classification="restricted"))
