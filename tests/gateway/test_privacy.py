"""What counts as personal data: numbers with their check digits, names and addresses in several languages."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from strata.gateway.guards.privacy import TYPES, find

FOUND = [
    ("NATIONAL_ID", "My SSN is 536-22-8726.", "536-22-8726"),
    ("NATIONAL_ID", "National Insurance number AB123456C", "AB123456C"),
    ("NATIONAL_ID", "DNI 12345678Z", "12345678Z"),
    ("NATIONAL_ID", "su NIE es X1234567L", "X1234567L"),
    ("NATIONAL_ID", "PESEL 44051401458", "44051401458"),
    ("NATIONAL_ID", "Aadhaar 3123 4567 8909", "3123 4567 8909"),
    ("NATIONAL_ID", "personnummer 871220-2384", "871220-2384"),
    ("NATIONAL_ID", "henkilötunnus 131052-308T", "131052-308T"),
    ("NATIONAL_ID", "NRIC S0000001I", "S0000001I"),
    ("NATIONAL_ID", "numéro de sécurité sociale 255081416802538", "255081416802538"),
    ("NATIONAL_ID", "codice fiscale RSSMRA85T10A562S", "RSSMRA85T10A562S"),
    ("TAX_ID", "Meine Steuer-ID lautet 12345678903", "12345678903"),
    ("TAX_ID", "TFN 876 543 210", "876 543 210"),
    ("TAX_ID", "ABN 51 824 753 556", "51 824 753 556"),
    ("TAX_ID", "PAN ABCPD1234Z", "ABCPD1234Z"),
    ("MEDICAL_RECORD", "NHS number 401 023 2137", "401 023 2137"),
    ("MEDICAL_RECORD", "MRN: 00482913", "00482913"),
    ("MEDICAL_RECORD", "NHC: 368503.", "368503"),
    ("HEALTH_PLAN", "Versichertennummer A123456780", "A123456780"),
    ("HEALTH_PLAN", "NASS: 26 63514095 12", "26 63514095 12"),
    ("LICENCE", "NPI 1234567893", "1234567893"),
    ("LICENCE", "DEA BB1388568", "BB1388568"),
    ("PASSPORT", "passport number CD7654321", "CD7654321"),
    ("DRIVER_LICENCE", "driver's license: F162823540116", "F162823540116"),
    ("CREDIT_CARD", "card 4111 1111 1111 1111", "4111 1111 1111 1111"),
    ("IBAN", "DE89 3704 0044 0532 0130 00", "DE89 3704 0044 0532 0130 00"),
    ("ACCOUNT", "Account number: 938271645", "938271645"),
    ("PHONE", "call (415) 555-0132 please", "(415) 555-0132"),
    ("PHONE", "Tel. 030 901820-44", "030 901820-44"),
    ("PHONE", "mi móvil: 612 34 56 78", "612 34 56 78"),
    ("EMAIL", "schreiben Sie an jürgen.groß@beispiel.de!", "jürgen.groß@beispiel.de"),
    ("IP_ADDRESS", "from 192.168.10.4", "192.168.10.4"),
    ("IP_ADDRESS", "from 2001:db8::8a2e:370:7334", "2001:db8::8a2e:370:7334"),
    ("MAC_ADDRESS", "eth0 00:1B:44:11:3A:B7", "00:1B:44:11:3A:B7"),
    ("CRYPTO_WALLET", "send to 16Yeky6GMjeNkAiNcBY7ZhrLoMSgg1BoyZ", "16Yeky6GMjeNkAiNcBY7ZhrLoMSgg1BoyZ"),
    ("VEHICLE", "number plate BD62 XYZ", "BD62 XYZ"),
    ("BIRTH_DATE", "born on 4 May 1961", "4 May 1961"),
    ("BIRTH_DATE", "Fecha de nacimiento: 03/03/1946", "03/03/1946"),
    ("BIRTH_DATE", "geboren am 12. März 1958", "12. März 1958"),
    ("OLD_AGE", "The patient is 93 years old", "93 years old"),
    ("AGE", "paciente de 45 años", "45 años"),
    ("ADDRESS", "She lives at 14 Harcourt Road, Leeds.", "14 Harcourt Road"),
    ("ADDRESS", "Domicilio: Calle de Serrano 92, piso 3", "Calle de Serrano 92, piso 3"),
    ("ADDRESS", "wohnhaft in der Lindenstraße 17a", "Lindenstraße 17a"),
    ("PERSON", "Mr. Abernathy will see you now", "Mr. Abernathy"),
    ("PERSON", "Me llamo Lucía Fernández Ortega.", "Lucía Fernández Ortega"),
    ("PERSON", "Mein Name ist Katharina Hoffmann.", "Katharina Hoffmann"),
]

NOT_FOUND = [
    ("NATIONAL_ID", "part 12345678A of 44051401459"),
    ("CREDIT_CARD", "order 4111 1111 1111 1112"),
    ("IBAN", "GB33BUKB20201555555556"),
    ("CRYPTO_WALLET", "16Yeky6GMjeNkAiNcBY7ZhrLoMSgg1BoyZ2"),
    ("IP_ADDRESS", "version 1.2.3 of 300.1.1.1"),
    ("PHONE", "It costs 1,250,000 dollars, 45.5 % of 12 000 000."),
    ("PHONE", "between 1998 and 2004, pages 120-134"),
    ("LICENCE", "NPI 1234567890"),
]


@pytest.mark.parametrize(("kind", "text", "value"), FOUND)
def test_personal_data_is_found_whole_and_by_its_type(kind, text, value):
    at = text.index(value)
    found = [span for span in find(text) if span.score >= 0.5 and span.start <= at and span.end >= at + len(value)]
    assert [span.type for span in found] == [kind]


@pytest.mark.parametrize(("kind", "text"), NOT_FOUND)
def test_what_a_check_digit_rules_out_is_not_taken_for_it(kind, text):
    assert kind not in {span.type for span in find(text) if span.score >= 0.8 or kind == "PHONE"}


def test_a_surname_said_again_alone_is_found_too():
    text = "Priya Venkataraman signed, and so the letter was sent when Venkataraman left."
    assert [text[span.start : span.end] for span in find(text)] == ["Priya Venkataraman", "Venkataraman"]


def test_an_address_over_several_lines_is_one():
    text = "Ship to:\n28245 Park Street Apt. 595\nSpringfield, IL 62704"
    spans = [span for span in find(text) if span.type == "ADDRESS"]
    assert text[spans[0].start : spans[0].end] == text[text.index("28245") :]


@given(
    some.text(max_size=200) | some.lists(some.sampled_from([text for _, text, _ in FOUND]), max_size=4).map(" ".join)
)
@settings(max_examples=200)
def test_spans_lie_inside_the_text_in_order_and_apart(text):
    spans = find(text, threshold=0.0)
    assert all(
        0 <= span.start < span.end <= len(text) and span.type in TYPES and 0 <= span.score <= 1 for span in spans
    )
    assert all(one.end <= other.start for one, other in pairwise(spans))


STRONG = {
    "es_nie_recognizer": "NATIONAL_ID",
    "it_fiscal_code_recognizer": "NATIONAL_ID",
    "pl_pesel_recognizer": "NATIONAL_ID",
    "crypto_recognizer": "CRYPTO_WALLET",
}


@pytest.mark.parametrize("recognizer", STRONG)
def test_published_cases_of_identifiers_with_check_digits(shared: Path, recognizer):
    cases = [json.loads(line) for line in (shared / "data/pii/presidio_recognizer_cases/cases.jsonl").open()]
    for case in cases:
        if case["recognizer"] == recognizer:
            found = [span for span in find(case["text"]) if span.type == STRONG[recognizer] and span.score >= 0.5]
            assert len(found) == case["expected_len"], case["text"]
