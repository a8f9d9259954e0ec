"""The promise of `data.parser`, as tests: subclass it and hand it a parser with a sample of each of its kinds."""

from __future__ import annotations

import pytest

from strata.data.parser import Parser, Unreadable


class ParserPromise:
    """Override the fixtures: `parser`, and `sample`, the (bytes, file name) of a readable file of some paragraphs."""

    @pytest.fixture
    def parser(self) -> Parser:
        raise NotImplementedError

    @pytest.fixture
    def sample(self) -> tuple[bytes, str]:
        raise NotImplementedError

    def test_blocks_are_in_order_and_cover_all_that_is_not_white_space(
        self, parser: Parser, sample: tuple[bytes, str]
    ) -> None:
        parsed = parser.parse(*sample)
        assert parsed.blocks
        place = 0
        for block in parsed.blocks:
            assert place <= block.start < block.end
            assert not parsed.text[place : block.start].strip()
            assert parsed.text[block.start : block.end].strip()
            place = block.end
        assert not parsed.text[place:].strip()

    def test_pages_are_in_order_and_hold_their_blocks(self, parser: Parser, sample: tuple[bytes, str]) -> None:
        parsed = parser.parse(*sample)
        numbers = [page.page for page in parsed.pages]
        assert numbers == sorted(set(numbers))
        spans = {page.page: page for page in parsed.pages}
        for block in parsed.blocks:
            if block.page is not None:
                assert spans[block.page].start <= block.start < block.end <= spans[block.page].end

    def test_tables_are_markdown_rows(self, parser: Parser, sample: tuple[bytes, str]) -> None:
        parsed = parser.parse(*sample)
        for block in parsed.blocks:
            if block.kind == "table":
                rows = parsed.text[block.start : block.end].splitlines()
                assert all(row.startswith("|") and row.endswith("|") for row in rows)

    def test_the_same_bytes_give_the_same_text(self, parser: Parser, sample: tuple[bytes, str]) -> None:
        assert parser.parse(*sample) == parser.parse(*sample)

    def test_an_empty_file_is_unreadable(self, parser: Parser, sample: tuple[bytes, str]) -> None:
        with pytest.raises(Unreadable):
            parser.parse(b"", sample[1])
