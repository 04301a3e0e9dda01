from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from penstock import Flow, Routine, Runtime
from penstock.cli import bench
from penstock.cli.bench import fresh, lines, measuring, quiet, stopwatch, workloads
from penstock.cli.bench.lines import LINES, Line
from penstock.cli.bench.measuring import WrongResult, interleaved, quantile
from penstock.cli.bench.rows import Goal, Row, judged, table
from penstock.cli.bench.scale import Placement, Scale
from penstock.cli.main import main

TINY = Scale(
    quick=True,
    rounds=1,
    chain_messages=50,
    fan_rounds=2,
    blocking_rounds=1,
    jobs=5,
    idle_jobs=5,
    waits=3,
    quiet_jobs=2,
    quiet_seconds=0.05,
    ready_bodies=20,
    pauses=2,
    growth_messages=5_000,
)
ROWS = {  # per placement
    "chain": 2,
    "fan": 1,
    "fan-at-once": 2,
    "fan-blocking": 1,
    "jobs": 1,
    "threads": 1,
    "memory": 1,
    "wait": 2,
    "quiet": 1,
    "pause": 1,
    "instruments": 2,
    "unused": 4,
    "growth": 1,
}


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs are so small that they cost next to no time."""
    monkeypatch.setattr(bench, "QUICK", TINY)
    monkeypatch.setattr(bench, "FULL", TINY)


# ---- the lines


@pytest.mark.parametrize("placement", ["pool", "thread"])
@pytest.mark.parametrize("line", LINES, ids=[line.name for line in LINES])
def test_a_line_measures_its_rows(
    line: Line, placement: Placement, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bench", "--json", "--only", line.name, "--loop", placement]) == 0

    told = json.loads(capsys.readouterr().out)
    rows = told["rows"]
    assert told["error"] is None
    assert len(rows) == ROWS[line.name] + (line.name == "threads" and placement == "thread")
    for row in rows:
        assert (row["line"], row["loop"]) == (line.name, placement)
        assert isinstance(row["measured"], float)
        assert row["met"] in (True, False, None)
        assert (row["met"] is None) == (row["must"] is None)


def test_both_placements_are_measured_by_default(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "--quick", "--only", "chain", "--json"]) == 0

    rows = json.loads(capsys.readouterr().out)["rows"]
    assert [row["loop"] for row in rows] == ["pool", "thread", "pool", "thread"]


def test_idle_and_held_jobs_wake_nobody(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "--only", "quiet", "--json"]) == 0

    rows = json.loads(capsys.readouterr().out)["rows"]
    assert [row["measured"] for row in rows] == [0, 0]


def test_a_thread_that_wakes_up_now_and_then_is_seen(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    start = quiet._start

    class Restless(Routine):
        def logic(self) -> Iterator[None]:
            while True:
                self.sleep(0.002)
                yield

    def start_restless(runtime: Runtime, count: int) -> None:
        start(runtime, count)
        flow = Flow("restless")
        flow.add("restless", Restless())
        runtime.exec(flow)

    monkeypatch.setattr(quiet, "_start", start_restless)
    monkeypatch.setattr(quiet, "SETTLED", 0.01)

    assert main(["bench", "--only", "quiet", "--json"]) == 0

    rows = json.loads(capsys.readouterr().out)["rows"]
    assert [row["met"] for row in rows] == [False, False]


# ---- the command


def _stub(name: str, *, met: bool = True) -> Line:
    def measure(scale: Scale) -> list[Row]:
        return [judged(name, f"what {name} is", "pool", 2.0 if met else 0.5, Goal(1, 3, "x"))]

    return Line(name, measure)


def _broken(name: str) -> Line:
    def measure(scale: Scale) -> list[Row]:
        raise WrongResult("one is missing")

    return Line(name, measure)


@pytest.fixture
def stubs(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def use(*found: Line) -> None:
        monkeypatch.setattr(lines, "LINES", found)

    return use


def test_all_lines_are_printed_in_their_order(
    stubs: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    stubs(*(_stub(name) for name in ROWS))

    assert main(["bench"]) == 0

    told = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in told[3:-1]] == list(ROWS)
    assert [line.name for line in LINES] == list(ROWS)


def test_only_takes_several_names_in_the_order_of_the_table(
    stubs: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    stubs(*(_stub(name) for name in "abc"))

    assert main(["bench", "--json", "--only", "c, a"]) == 0

    assert [row["line"] for row in json.loads(capsys.readouterr().out)["rows"]] == ["a", "c"]


def test_a_figure_that_misses_what_must_be_is_shown_and_no_error(
    stubs: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    stubs(_stub("good"), _stub("bad", met=False))

    assert main(["bench"]) == 0

    good, bad = capsys.readouterr().out.splitlines()[3:-1]
    assert good.split()[-3:] == ["3", "x", "yes"]
    assert bad.split()[-3:] == ["3", "x", "NO"]


def test_json_is_one_object_and_progress_goes_to_stderr(
    stubs: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    stubs(_stub("a"), _stub("b"))

    assert main(["bench", "--json", "--rounds", "3"]) == 0

    told = capsys.readouterr()
    assert len(told.out.splitlines()) == 1
    found = json.loads(told.out)
    assert found.keys() == {"python", "cores", "rounds", "quick", "rows", "error", "seconds"}
    assert found["rounds"] == 3
    assert found["rows"][0] == {
        "line": "a",
        "what": "what a is",
        "loop": "pool",
        "measured": 2.0,
        "unit": "x",
        "must": 1,
        "aim": 3,
        "less_is_better": False,
        "met": True,
        "note": "",
        "parts": {},
    }
    assert "a (1 of 2)" in told.err


def test_a_wrong_result_ends_the_bench_with_1_and_keeps_what_was_measured(
    stubs: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    stubs(_stub("a"), _broken("b"), _stub("c"))

    assert main(["bench"]) == 1

    told = capsys.readouterr()
    assert "what a is" in told.out
    assert "what c is" not in told.out
    assert "one is missing" in told.err


def test_a_wrong_result_is_in_the_json(
    stubs: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    stubs(_broken("b"))

    assert main(["bench", "--json"]) == 1

    assert json.loads(capsys.readouterr().out)["error"] == "one is missing"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--only", "chain,speed"], "speed"),
        (["--only", ""], "fan-at-once"),
        (["--rounds", "0"], "0"),
        (["--rounds", "many"], "many"),
        (["--loop", "thread,moon"], "moon"),
        (["everything"], "everything"),
    ],
)
def test_bad_input_is_said_in_one_line(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bench", *arguments]) == 2

    told = capsys.readouterr()
    assert (told.out, len(told.err.splitlines())) == ("", 1)
    assert said in told.err


# ---- wrong results


def _lossy(self: Any, value: int) -> None:
    if value != 7:
        self.out.emit(value)


def _doubling(self: Any, value: int) -> None:
    self.out.emit(value)
    if value == 7:
        self.out.emit(value)


def _failing(self: Any, value: int) -> None:
    raise ValueError("broken on purpose")


@pytest.mark.parametrize("logic", [_lossy, _doubling, _failing])
@pytest.mark.parametrize("line", ["chain", "instruments", "unused"])
def test_a_chain_that_loses_or_doubles_a_message_is_noticed(
    line: str,
    logic: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(workloads.Pass, "logic", logic)

    assert main(["bench", "--only", line, "--loop", "thread"]) == 1

    assert "wrong result" in capsys.readouterr().err


@pytest.mark.parametrize("line", ["fan", "fan-at-once", "jobs"])
def test_a_message_lost_elsewhere_is_noticed(
    line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(workloads.Source, "logic", lambda self: None)

    assert main(["bench", "--only", line, "--loop", "thread"]) == 1

    assert "wrong result" in capsys.readouterr().err


def test_an_instrument_that_is_told_too_little_is_noticed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from penstock.cli.bench.costs import CountActivations

    told = CountActivations.on_activation_ended

    def forgetful(self: CountActivations, event: Any) -> None:
        if event.number != 7:
            told(self, event)

    monkeypatch.setattr(CountActivations, "on_activation_ended", forgetful)

    assert main(["bench", "--only", "instruments", "--loop", "thread"]) == 1

    assert "CountActivations" in capsys.readouterr().err


def test_a_job_that_never_ends_is_noticed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(measuring, "PATIENCE", 0.1)
    monkeypatch.setattr(workloads.Pass, "logic", lambda self, value: self.sleep(20))

    assert main(["bench", "--only", "fan", "--loop", "thread"]) == 1

    assert "is RUNNING" in capsys.readouterr().err


def test_what_goes_wrong_in_a_process_of_its_own_is_told() -> None:
    with pytest.raises(WrongResult, match="idle, pool: ZeroDivisionError"):
        fresh._in_fresh_process("idle", "pool", 0)


# ---- the profile


@pytest.mark.parametrize("placement", ["pool", "thread"])
def test_the_profile_tells_parts_that_add_up(
    placement: Placement, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bench", "--profile", "--json", "--loop", placement]) == 0

    told = json.loads(capsys.readouterr().out)
    assert told["error"] is None
    assert list(told["profile"]) == [placement]
    parts: dict[str, float] = told["profile"][placement]
    names = list(parts)
    total = names.index("= processor time")
    assert sum(parts[name] for name in names[:total]) == pytest.approx(
        parts[names[total]], abs=0.01
    )
    for name in ("slice: the body", "slice: emit", "core: route to the slots"):
        assert parts[name] > 0
    assert parts["activations in a slice (a number)"] >= 1


def test_the_profile_is_a_table_of_both_placements(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "--profile", "--quick"]) == 0

    told = capsys.readouterr().out.splitlines()
    assert told[1].split()[-2:] == ["pool", "thread"]
    assert any(line.startswith("slice: emit ") for line in told)


def test_a_profile_of_a_chain_that_loses_a_message_is_none(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(workloads.Pass, "logic", _lossy)

    assert main(["bench", "--profile", "--json"]) == 1

    told = json.loads(capsys.readouterr().out)
    assert told["profile"] == {}
    assert "n1.value" in told["error"]


def test_a_stopwatch_counts_each_part_without_those_inside_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [0.0]
    monkeypatch.setattr(stopwatch, "thread_time", lambda: now[0])
    watch = stopwatch.Stopwatch()

    def spend(seconds: float) -> None:
        now[0] += seconds

    inner = watch.around("inner", spend)

    def work() -> None:
        spend(1.0)
        inner(10.0)
        inner(20.0)
        spend(2.0)

    watch.around("outer", work)()

    assert watch.seconds() == {"inner": 30.0, "outer": 3.0}
    assert watch.calls() == {"inner": 2, "outer": 1}
    assert watch.seconds(cost=(0.5, 0.25)) == {"inner": 29.0, "outer": 2.0}


def test_a_stopwatch_counts_every_thread_and_calls_that_raise() -> None:
    watch = stopwatch.Stopwatch()

    def fail() -> None:
        raise ZeroDivisionError

    def body() -> None:
        with pytest.raises(ZeroDivisionError):
            watch.around("failing", fail)()

    threads = [threading.Thread(target=body) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert watch.calls() == {"failing": 3}


def test_watched_functions_are_themselves_again_afterwards() -> None:
    from penstock.run import arriving, core
    from penstock.run.slices import Token

    route, run = arriving.route, Token.run
    hooks = [stopwatch.Hook("a", arriving, "route"), stopwatch.Hook("b", Token, "run")]

    with stopwatch.Stopwatch().watching(hooks):
        assert arriving.route is not route
        assert vars(core)["route"] is arriving.route
        assert Token.run is not run

    assert vars(core)["route"] is arriving.route is route
    assert Token.run is run


# ---- measuring and telling


def test_variants_take_turns_and_every_other_round_goes_backwards() -> None:
    order: list[str] = []

    def variant(name: str) -> Callable[[], float]:
        def measure() -> float:
            order.append(name)
            return float(len(order))

        return measure

    found = interleaved({name: variant(name) for name in "abc"}, 3)

    assert "".join(order) == "abccbaabc"
    assert found == {"a": [1, 6, 7], "b": [2, 5, 8], "c": [3, 4, 9]}


def test_a_quantile_is_a_value_that_was_measured() -> None:
    values = [float(n) for n in range(100, 0, -1)]

    assert (quantile(values, 0.5), quantile(values, 0.99), quantile(values, 1.0)) == (50, 99, 100)
    assert quantile([4.0], 0.99) == 4.0


def test_until_gives_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measuring, "PATIENCE", 0.01)

    with pytest.raises(WrongResult, match="moon"):
        measuring.until(lambda: False, "moon")


def test_wake_ups_of_a_thread_are_counted() -> None:
    if measuring.wake_ups([]) is None:
        pytest.skip("the system doesn't tell")
    gate, woken = threading.Semaphore(0), threading.Semaphore(0)

    def body() -> None:
        for _ in range(20):
            gate.acquire()
            woken.release()

    before = measuring.thread_ids()
    thread = threading.Thread(target=body)
    thread.start()
    try:
        ids = measuring.thread_ids() - before
        first = measuring.wake_ups(ids)
        for _ in range(19):
            measuring.pause_for(0.002)
            gate.release()
            assert woken.acquire(timeout=10)
        last = measuring.wake_ups(ids)
    finally:
        gate.release()
        thread.join()

    assert first is not None
    assert last is not None
    assert last - first >= 15


def test_goals_are_met_from_either_side() -> None:
    assert Goal(3, 10, "x").is_met(3.0)
    assert not Goal(3, 10, "x").is_met(2.99)
    assert Goal(2, 1, "ms", most=True).is_met(2.0)
    assert not Goal(2, 1, "ms", most=True).is_met(2.01)


def test_the_table_shows_what_cant_be_measured_and_what_is_for_information() -> None:
    told = table(
        [
            judged("a", "first", "pool", None, Goal(5, 1, "MB", most=True), "not told"),
            Row("b", "second", "thread", 12345.678, "us"),
            Row("b", "third", "thread", 0.0123456, "us"),
        ]
    ).splitlines()

    assert told[2].split() == ["a", "first", "pool", "?", "<=", "5", "MB", "1", "MB"]
    assert told[3].strip() == "not told"
    assert told[4].split() == ["b", "second", "thread", "12346", "us"]
    assert told[5].split() == ["b", "third", "thread", "0.0123", "us"]
