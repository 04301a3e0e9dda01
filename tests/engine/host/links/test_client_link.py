"""`EngineClient` over a link that tells what a test says."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from penstock import PenstockError
from penstock.host import (
    LOST,
    Answer,
    DisplayLost,
    EngineClient,
    EngineSnapshot,
    HostGone,
    JobSnapshot,
    PoolUse,
    RoutineValues,
    ThreadTable,
    Told,
    ValuePage,
    ValueSample,
)
from penstock.host.crossing.commands import (
    AskCounters,
    AskPage,
    AskSnapshot,
    AskThreads,
    AskValues,
    Command,
    Release,
    Start,
)
from penstock.host.links.client import KEPT_PAGES, KEPT_VALUES
from penstock.observe import JobEnded, ValueSummary

POOL = PoolUse(4, 1, 3, 0, 9, 9)
TABLE = ThreadTable(POOL, ())
GONE = HostGone(1, "killed by SIGKILL", "")


class SayingLink:
    """Keeps what is sent; `told` is drained next."""

    def __init__(self) -> None:
        self.lost = 0
        self.answers = True
        self.sent: list[Command] = []
        self.told: list[Told | Answer] = []
        self.closed = False

    def send(self, command: Command) -> None:
        self.sent.append(command)

    def when_urgent(self, call: Callable[[], object]) -> None:
        self.ring = call

    def drain(self) -> tuple[Told | Answer, ...]:
        told, self.told = tuple(self.told), []
        return told

    def kill(self) -> None:
        self.sent.clear()

    restart = kill

    def close(self, timeout: float) -> None:
        self.closed = True


@pytest.fixture
def link() -> SayingLink:
    return SayingLink()


@pytest.fixture
def client(link: SayingLink) -> EngineClient:
    return EngineClient(link=link)


def test_the_last_answer_is_given_and_one_newer_is_asked_for(
    client: EngineClient, link: SayingLink
) -> None:
    assert client.threads().threads == ()
    assert client.threads().pool.size == 0
    assert link.sent == [AskThreads()], "one question at a time"

    link.told = [TABLE]
    assert client.drain(ask=False) == (TABLE,), "who waits for it hears of it"

    assert client.threads() is TABLE
    assert link.sent == [AskThreads(), AskThreads()]


def test_questions_of_other_kinds_and_ports_are_asked_beside(
    client: EngineClient, link: SayingLink
) -> None:
    for _ in range(2):
        client.threads()
        client.snapshot()
        client.last_values("1", "a")
        client.last_values("1", "b")

    asked = [AskThreads(), AskSnapshot(), AskValues("1", "a"), AskValues("1", "b")]
    assert link.sent == asked


def test_values_are_kept_by_job_and_routine_the_newest_of_them(
    client: EngineClient, link: SayingLink
) -> None:
    link.told = [RoutineValues("1", f"r{n}", {}, {"x": ()}) for n in range(KEPT_VALUES + 1)]
    client.drain()

    assert client.last_values("1", f"r{KEPT_VALUES}").events == {"x": ()}
    assert client.last_values("1", "r1").events == {"x": ()}
    assert client.last_values("1", "r0") == RoutineValues("1", "r0", {}, {})


def page_of(reference: int, *path: int, offset: int = 0, total: int = 3) -> ValuePage:
    return ValuePage(reference, path, "items", ValueSummary("list", "[]"), total, offset, ())


def test_a_page_is_asked_for_once_and_the_last_one_told_is_given(
    client: EngineClient, link: SayingLink
) -> None:
    for _ in range(2):
        assert client.page(7) is None
        assert client.page(7, [1, 2], 20, 10) is None
    assert link.sent == [AskPage(7, (), 0, 100), AskPage(7, (1, 2), 20, 10)]

    page = page_of(7, 1, 2, offset=20)
    link.told = [page]
    assert client.drain(ask=False) == (page,)

    assert client.page(7, (1, 2), 20, 10) is page
    assert client.page(7) is None
    assert link.sent[2:] == [AskPage(7, (1, 2), 20, 10)], "the first is still under way"


def test_a_released_value_s_pages_are_forgotten_and_asked_for_anew(
    client: EngineClient, link: SayingLink
) -> None:
    client.page(7)
    client.page(7, (1,))
    client.page(8)
    link.told = [page_of(7), page_of(8)]
    client.drain(ask=False)
    link.sent.clear()

    client.release(7)

    assert client.page(7) is None
    assert client.page(7, (1,)) is None
    assert client.page(8) == page_of(8)
    assert link.sent[:3] == [Release(7), AskPage(7, (), 0, 100), AskPage(7, (1,), 0, 100)]


def test_the_newest_pages_are_kept(client: EngineClient, link: SayingLink) -> None:
    link.told = [page_of(1), *[page_of(n) for n in range(2, KEPT_PAGES + 1)], page_of(1)]
    client.drain()
    link.told = [page_of(KEPT_PAGES + 1)]
    client.drain()

    assert client.page(1) is not None
    assert client.page(2) is None
    assert client.page(3) is not None


def test_nothing_is_kept_where_nobody_answers(client: EngineClient, link: SayingLink) -> None:
    link.told = [page_of(7)]
    client.drain()
    link.sent.clear()
    link.answers = False

    page = client.page(7, (1,), 20)
    client.release(7)

    assert page is not None
    assert (page.reference, page.path, page.offset, page.kept) == (7, (1,), 20, False)
    assert not link.sent


def test_after_a_host_s_end_no_value_can_be_looked_into(
    client: EngineClient, link: SayingLink
) -> None:
    sample = ValueSample(3, 1.0, ValueSummary("list", "[1]", 1), 7)
    values = RoutineValues("1", "a", {"in": (sample,)}, {"out": (sample,)})
    client.page(7)
    link.told = [page_of(7), values, JobEnded(9, "1", 3.0, LOST, None, {}), GONE]
    client.drain(ask=False)

    kept = client.last_values("1", "a")

    assert [kept.slots["in"][0].reference, kept.events["out"][0].reference] == [0, 0]
    assert kept.slots["in"][0].value.text == "[1]"
    assert client.page(7) is None, "what a later process would say is another one"


def test_nobody_is_asked_where_nobody_answers_or_after_the_end(
    client: EngineClient, link: SayingLink
) -> None:
    link.answers = False
    client.threads()
    client.snapshot()
    assert not link.sent

    link.answers = True
    client.close()
    client.threads()
    assert not link.sent
    assert link.closed
    with pytest.raises(PenstockError, match="closed"):
        client.start("{}")


def test_counters_are_asked_for_with_each_drain_unless_told_otherwise(
    client: EngineClient, link: SayingLink
) -> None:
    client.drain(ask=False)
    assert not link.sent
    client.drain()
    assert link.sent == [AskCounters()]


def test_after_a_host_s_end_what_it_told_stays_and_ids_go_on(
    client: EngineClient, link: SayingLink
) -> None:
    first = client.start("{}")
    values = RoutineValues(first, "a", {}, {"out": ()})
    over = JobSnapshot("0", "f", "COMPLETED", 0, 1.0, 1.0, 2.0, {})
    lives = JobSnapshot(first, "f", "RUNNING", 3, 1.0, 1.0, None, {})
    link.told = [values, TABLE, EngineSnapshot((over, lives), POOL, 0), DisplayLost(5)]
    client.drain()
    for ask in (client.threads, client.snapshot):
        ask()
    client.last_values(first, "a")
    end = JobEnded(9, first, 3.0, LOST, None, {})
    link.told, link.sent = [end, GONE], []

    assert client.drain(ask=False) == (end, GONE)

    assert client.last_values(first, "a") == values
    assert not client.last_values(first, "b").kept
    assert not link.sent, "a new host knows nothing of a lost job"
    assert client.threads() == ThreadTable(PoolUse(0, 0, 0, 0, 0, 0), ())
    jobs = client.snapshot().jobs
    assert [(job.job_id, job.status, job.running) for job in jobs] == [
        ("0", "COMPLETED", 0),
        (first, LOST, 0),
    ]
    assert link.sent == [AskThreads(), AskSnapshot()], "what was asked before is answered no more"
    second = client.start("{}")
    assert (first, second) == ("1", "2")
    assert link.sent[-1] == Start("2", "{}", None, {})


def test_what_got_lost_is_added_up_over_links_and_hosts(
    client: EngineClient, link: SayingLink
) -> None:
    link.lost = 3
    link.told = [DisplayLost(5), DisplayLost(6)]
    client.drain()
    assert client.lost == 9

    link.told = [GONE, DisplayLost(1)]
    client.drain()

    assert client.lost == 10


def test_an_engine_in_this_process_can_not_be_killed() -> None:
    client = EngineClient(workers=1)

    for end in (client.kill, client.restart):
        with pytest.raises(PenstockError, match="this process"):
            end()
    client.close()
