"""Error policies: frozen values that refuse wrong arguments, and how long a retry waits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import FrozenInstanceError
from typing import get_args

import pytest

from penstock.flow import Continue, ErrorPolicy, Retry, Skip, Stop


def test_policies_are_values() -> None:
    assert (Stop(), Continue(), Skip()) == (Stop(), Continue(), Skip())
    assert Retry() == Retry(3, 0.0, 1.0, None, 0.0, (Exception,), Stop())
    assert {Retry(2): 1}[Retry(times=2)] == 1
    assert get_args(ErrorPolicy) == (Stop, Continue, Skip, Retry)
    with pytest.raises(FrozenInstanceError):
        Retry().times = 4  # type: ignore[misc]


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: Retry(-1), "times: expected a whole number from 0 on, got -1"),
        (lambda: Retry(1.0), "times: "),  # type: ignore[arg-type]
        (lambda: Retry(True), "times: "),
        (lambda: Retry(delay=-0.1), "delay: expected seconds from 0 on, got -0.1"),
        (lambda: Retry(delay=float("inf")), "delay: "),
        (lambda: Retry(delay="1"), "delay: "),  # type: ignore[arg-type]
        (lambda: Retry(backoff=0.9), "backoff: expected a number from 1 on, got 0.9"),
        (lambda: Retry(backoff=float("nan")), "backoff: "),
        (lambda: Retry(max_delay=0), "max_delay: expected None or seconds above 0, got 0"),
        (lambda: Retry(jitter=1.1), "jitter: expected a fraction from 0 to 1, got 1.1"),
        (lambda: Retry(jitter=-0.1), "jitter: "),
        (lambda: Retry(on=()), r"on: expected exception classes, got \(\)"),
        (lambda: Retry(on=(int,)), "on: "),  # type: ignore[arg-type]
        (lambda: Retry(on=int), "on: "),  # type: ignore[arg-type]
        (lambda: Retry(on=[OSError]), "on: "),  # type: ignore[arg-type]
        (lambda: Retry(on=OSError()), "on: "),  # type: ignore[arg-type]
        (lambda: Retry(then=Retry()), r"then: expected Stop\(\), Continue\(\) or Skip\(\), got R"),  # type: ignore[arg-type]
        (lambda: Retry(then=Skip), "then: "),  # type: ignore[arg-type]
    ],
)
def test_a_wrong_argument_of_a_retry_is_named(make: Callable[[], object], text: str) -> None:
    with pytest.raises(ValueError, match=f"^{text}"):
        make()


def test_arguments_at_the_edge_are_right() -> None:
    assert Retry(0, 0, 1, 0.1, 1, KeyboardInterrupt, Skip()).on == (KeyboardInterrupt,)
    assert Retry(jitter=0).jitter == 0


def test_one_exception_class_stands_for_a_tuple_of_it() -> None:
    assert Retry(on=OSError).on == (OSError,)
    assert Retry(on=OSError) == Retry(on=(OSError,))


@pytest.mark.parametrize(
    ("policy", "waits"),
    [
        (Retry(), [0.0, 0.0, 0.0]),
        (Retry(delay=2), [2.0, 2.0, 2.0]),
        (Retry(delay=1, backoff=2), [1.0, 2.0, 4.0]),
        (Retry(delay=1, backoff=2, max_delay=3), [1.0, 2.0, 3.0]),
        (Retry(delay=5, max_delay=3), [3.0, 3.0, 3.0]),
    ],
)
def test_each_wait_is_backoff_times_as_long_up_to_the_longest(
    policy: Retry, waits: list[float]
) -> None:
    assert [policy.delay_before(retry, 0.9) for retry in (1, 2, 3)] == waits


def test_jitter_leaves_out_up_to_its_fraction_of_a_wait() -> None:
    policy = Retry(delay=10, jitter=0.5)

    assert policy.delay_before(1, 0.0) == 10.0
    assert policy.delay_before(1, 0.5) == 7.5
    assert 5.0 < policy.delay_before(1, 0.999) < 5.1


def test_jitter_is_taken_of_the_capped_wait() -> None:
    assert Retry(delay=100, max_delay=10, jitter=0.5).delay_before(1, 0.5) == 7.5


@pytest.mark.parametrize("backoff", [10, 10.0])
def test_a_wait_beyond_all_numbers_is_the_longest(backoff: float) -> None:
    assert Retry(delay=0.5, backoff=backoff, max_delay=60).delay_before(5000, 0) == 60
    assert 0 < Retry(delay=0.5, backoff=backoff).delay_before(5000, 0) < 1e9
    assert Retry(backoff=backoff).delay_before(5000, 0) == 0
