from __future__ import annotations

import pytest

from penstock_gui.widgets.wording import bounded, duration, one_line, plural, short


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0 ms"),
        (0.0021, "2 ms"),
        (0.9996, "1.0 s"),
        (59.94, "59.9 s"),
        (59.96, "1 min 00 s"),
        (185, "3 min 05 s"),
        (3599.6, "1 h 00 min"),
        (7625, "2 h 07 min"),
    ],
)
def test_a_duration_has_two_or_three_digits_that_matter(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_foreign_text_becomes_one_line_of_bounded_length() -> None:
    assert one_line("a\nb\x1b[31m\u2028c") == "a b [31m c"
    assert one_line("x" * 50, 10) == "x" * 9 + "…"


def test_long_text_loses_its_middle_and_says_so() -> None:
    text = bounded("\n".join(str(number) for number in range(10_000)), 200)

    assert text.startswith("0\n1\n")
    assert text.endswith("9998\n9999")
    assert "48,689 characters left out" in text


def test_one_is_not_plural() -> None:
    assert [plural(count, "job") for count in (0, 1, 1911)] == ["0 jobs", "1 job", "1,911 jobs"]


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0"),
        (999, "999"),
        (1000, "1.0k"),
        (1999, "1.9k"),
        (9999, "9.9k"),
        (10_000, "10k"),
        (999_999, "999k"),
        (1_000_000, "1.0M"),
        (999_999_999, "999M"),
        (12_345_678_901, "12G"),
    ],
)
def test_a_short_number_is_never_more_than_it_stands_for(count: int, text: str) -> None:
    assert short(count) == text
