"""Check digits: what tells a real identifier from any number of the same length. Each takes digits and capital letters
without separators and says whether they fit; the names are those of the identifiers' own specifications.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import date

_VERHOEFF = (
    "0123456789", "1234067895", "2340178956", "3401289567", "4012395678",
    "5987604321", "6598710432", "7659821043", "8765932104", "9876543210",
)  # fmt: skip
_TURN = (
    "0123456789", "1576283094", "5803796142", "8916043527", "9453126870", "4286573901", "2793806415", "7046913258",
)  # fmt: skip
_EVEN = {letter: at % 10 if at < 10 else at - 10 for at, letter in enumerate("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ")}
_ODD = dict(
    zip(
        "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ",
        (1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16,
         10, 22, 25, 24, 23),
        strict=True,
    )
)  # fmt: skip
_BASE58 = {letter: at for at, letter in enumerate("123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz")}
_BECH32 = {letter: at for at, letter in enumerate("qpzry9x8gf2tvdw0s3jn54khce6mua7l")}


def luhn(digits: str) -> bool:
    """ISO/IEC 7812-1, annex B."""
    total = 0
    for at, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + at % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def weighted(digits: str, weights: Sequence[int]) -> int:
    return sum(int(digit) * weight for digit, weight in zip(digits, weights, strict=False))


def iban(text: str) -> bool:
    """ISO 13616: ISO 7064 modulo 97 over the rearranged text."""
    text = text.upper()
    return int("".join(str(int(letter, 36)) for letter in text[4:] + text[:4])) % 97 == 1


def verhoeff(digits: str) -> bool:
    check = 0
    for at, digit in enumerate(reversed(digits)):
        check = int(_VERHOEFF[check][int(_TURN[at % 8][int(digit)])])
    return check == 0


def mod11_10(digits: str) -> bool:
    """ISO 7064 modulo 11,10: German tax and VAT numbers."""
    product = 10
    for digit in digits[:-1]:
        product = (int(digit) + product) % 10 or 10
        product = product * 2 % 11
    return (11 - product) % 10 == int(digits[-1])


def mrz(text: str) -> bool:
    """ICAO 9303 check digit at the end: passports and identity cards."""
    return sum(int(letter, 36) * (7, 3, 1)[at % 3] for at, letter in enumerate(text[:-1])) % 10 == int(text[-1])


def us_ssn(digits: str) -> bool:
    """No area 000, 666 or above 899, no group 00, no serial 0000; nor the numbers printed in advertisements."""
    area, group, serial = digits[:3], digits[3:5], digits[5:]
    known = {"078051120", "219099999", "123456789"}
    return area not in {"000", "666"} and area[0] != "9" and group != "00" and serial != "0000" and digits not in known


def us_itin(digits: str) -> bool:
    group = int(digits[3:5])
    return digits[0] == "9" and (50 <= group <= 65 or 70 <= group <= 88 or 90 <= group <= 92 or 94 <= group <= 99)


def us_npi(digits: str) -> bool:
    return digits[0] in "12" and len(set(digits)) > 2 and luhn("80840" + digits)


def us_dea(text: str) -> bool:
    digits = text[2:]
    return (
        int(digits[0]) + int(digits[2]) + int(digits[4]) + 2 * (int(digits[1]) + int(digits[3]) + int(digits[5]))
    ) % 10 == int(digits[6])


def us_routing(digits: str) -> bool:
    prefix = int(digits[:2])
    fits = prefix <= 12 or 21 <= prefix <= 32 or 61 <= prefix <= 72 or prefix == 80
    return fits and digits != "000000000" and weighted(digits, (3, 7, 1) * 3) % 10 == 0


def uk_nhs(digits: str) -> bool:
    return len(set(digits)) > 1 and weighted(digits, range(10, 0, -1)) % 11 == 0


def es_nif(text: str) -> bool:
    """DNI, NIE: the letter is the number modulo 23."""
    number = text[:-1].replace("X", "0").replace("Y", "1").replace("Z", "2")
    return "TRWAGMYFPDXBNJZSQVHLCKE"[int(number) % 23] == text[-1]


def es_cif(text: str) -> bool:
    digits = text[1:8]
    odd = sum(sum(divmod(2 * int(digit), 10)) for digit in digits[::2])
    check = -(odd + sum(int(digit) for digit in digits[1::2])) % 10
    return text[-1] in {str(check), "JABCDEFGHI"[check]}


def es_social(digits: str) -> bool:
    """Número de la Seguridad Social: twelve digits, the last two the others modulo 97."""
    return int(digits[:-2]) % 97 == int(digits[-2:])


def de_tax(digits: str) -> bool:
    return digits[0] != "0" and mod11_10(digits)


def de_pension(text: str) -> bool:
    """Rentenversicherungsnummer."""
    digits = text[:8] + f"{ord(text[8]) - 64:02d}" + text[9:11]
    total = 0
    for digit, weight in zip(digits, (2, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1), strict=True):
        total += sum(divmod(int(digit) * weight, 10))
    return total % 10 == int(text[11])


def de_health(text: str) -> bool:
    """Krankenversichertennummer."""
    return luhn_sum(f"{ord(text[0]) - 64:02d}" + text[1:9]) % 10 == int(text[9])


def luhn_sum(digits: str) -> int:
    return sum(sum(divmod(int(digit) * (1 + at % 2), 10)) for at, digit in enumerate(digits))


def de_physician(digits: str) -> bool:
    """Lebenslange Arztnummer: the seventh digit checks the first six."""
    return len(set(digits)) > 1 and -weighted(digits[:6], (4, 9) * 3) % 10 == int(digits[6])


def fr_nir(text: str) -> bool:
    number = text[:-2].replace("2A", "19").replace("2B", "18")
    return 97 - int(number) % 97 == int(text[-2:])


def it_fiscal(text: str) -> bool:
    total = sum(_ODD[letter] if at % 2 == 0 else _EVEN[letter] for at, letter in enumerate(text[:15]))
    return chr(65 + total % 26) == text[15]


def pl_pesel(digits: str) -> bool:
    month = int(digits[2:4]) % 20
    return 1 <= month <= 12 and 1 <= int(digits[4:6]) <= 31 and weighted(digits, (1, 3, 7, 9) * 2 + (1, 3, 1)) % 10 == 0


def au_tfn(digits: str) -> bool:
    return weighted(digits, (1, 4, 3, 7, 5, 8, 6, 9, 10)) % 11 == 0


def au_abn(digits: str) -> bool:
    return (weighted(digits, (10, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19)) - 10) % 89 == 0


def au_acn(digits: str) -> bool:
    return -weighted(digits[:8], range(8, 0, -1)) % 10 == int(digits[8])


def au_medicare(digits: str) -> bool:
    return digits[0] in "23456" and weighted(digits[:8], (1, 3, 7, 9) * 2) % 10 == int(digits[8])


def sg_nric(text: str) -> bool:
    total = weighted(text[1:8], (2, 7, 6, 5, 4, 3, 2)) + {"T": 4, "G": 4, "M": 3}.get(text[0], 0)
    letters = {"S": "JZIHGFEDCBA", "T": "JZIHGFEDCBA", "F": "XWUTRQPNMLK", "G": "XWUTRQPNMLK", "M": "KLJNPQRTUWX"}
    place = 10 - total % 11 if text[0] == "M" else total % 11
    return letters[text[0]][place] == text[8]


def kr_rrn(digits: str) -> bool:
    """The check digit was dropped for numbers given out since October 2020, so only date and century are looked at."""
    return born(digits[:6])


def kr_company(digits: str) -> bool:
    total = weighted(digits[:9], (1, 3, 7, 1, 3, 7, 1, 3, 5)) + int(digits[8]) * 5 // 10
    return -total % 10 == int(digits[9])


def in_aadhaar(digits: str) -> bool:
    return digits[0] not in "01" and digits != digits[::-1] and verhoeff(digits)


def fi_hetu(text: str) -> bool:
    return "0123456789ABCDEFHJKLMNPRSTUVWXY"[int(text[:6] + text[7:10]) % 31] == text[10]


def se_personal(digits: str) -> bool:
    digits = digits[-10:]
    day = int(digits[4:6])
    return 1 <= int(digits[2:4]) <= 12 and (1 <= day <= 31 or 61 <= day <= 91) and luhn(digits)


def no_birth(digits: str) -> bool:
    return (
        weighted(digits, (3, 7, 6, 1, 8, 9, 4, 5, 2, 1)) % 11 == 0
        and weighted(digits, (5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1)) % 11 == 0
    )


def nl_bsn(digits: str) -> bool:
    return len(set(digits)) > 1 and (weighted(digits, (9, 8, 7, 6, 5, 4, 3, 2)) - int(digits[8])) % 11 == 0


def be_national(digits: str) -> bool:
    number, check = int(digits[:9]), int(digits[9:])
    return check in {97 - number % 97, 97 - (2_000_000_000 + number) % 97}


def pt_nif(digits: str) -> bool:
    check = 11 - weighted(digits[:8], range(9, 1, -1)) % 11
    return (0 if check > 9 else check) == int(digits[8])


def br_cpf(digits: str) -> bool:
    def check(part: str) -> int:
        rest = weighted(part, range(len(part) + 1, 1, -1)) * 10 % 11
        return 0 if rest == 10 else rest

    return len(set(digits)) > 1 and check(digits[:9]) == int(digits[9]) and check(digits[:10]) == int(digits[10])


def tr_identity(digits: str) -> bool:
    numbers = [int(digit) for digit in digits]
    tenth = (sum(numbers[0:9:2]) * 7 - sum(numbers[1:8:2])) % 10
    return numbers[0] != 0 and numbers[9] == tenth and sum(numbers[:10]) % 10 == numbers[10]


def born(digits: str) -> bool:
    """Six digits that are a day: YYMMDD."""
    try:
        date(2000 + int(digits[:2]), int(digits[2:4]), int(digits[4:6]))
    except ValueError:
        return False
    return True


def bitcoin(text: str) -> bool:
    """Base58Check (version and double SHA-256) or Bech32 and Bech32m (BIP 173, BIP 350)."""
    if text[:3].lower() == "bc1":
        return _bech32(text.lower())
    number = 0
    for letter in text:
        if letter not in _BASE58:
            return False
        number = number * 58 + _BASE58[letter]
    if number.bit_length() > 200:
        return False
    body = number.to_bytes(25, "big")
    return hashlib.sha256(hashlib.sha256(body[:-4]).digest()).digest()[:4] == body[-4:]


def _bech32(text: str) -> bool:
    if any(letter not in _BECH32 for letter in text[3:]):
        return False
    check = 1
    for value in [3, 3, 0, 2, 3, *(_BECH32[letter] for letter in text[3:])]:
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for at, mask in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
            if top >> at & 1:
                check ^= mask
    return check in {1, 0x2BC830A3}
