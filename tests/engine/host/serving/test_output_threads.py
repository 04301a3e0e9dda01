"""What is printed: whose it is, that nothing is lost uncounted, and that the real stream has it."""

from __future__ import annotations

import asyncio
import io
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TextIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock import Event, Flow, Routine, Runtime, Slot
from penstock.host.crossing.protocol import Printed
from penstock.host.serving import output
from penstock.host.serving.output import (
    KEPT_CHARACTERS,
    KEPT_IN_ALL,
    MAX_LINE,
    MAX_SOURCES,
    CapturedStream,
    OutputCapture,
)

TIMEOUT = 20.0


class Streams:
    """A capture over two streams in memory, as this process's stdout and stderr."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.stdout = io.StringIO()
        self.stderr = io.StringIO()
        monkeypatch.setattr(sys, "stdout", self.stdout)
        monkeypatch.setattr(sys, "stderr", self.stderr)
        self.calls = 0
        self.capture = OutputCapture(self._called)

    def start(self) -> None:
        """In the test itself: pytest replaces the streams before it."""
        sys.stdout, sys.stderr = self.stdout, self.stderr
        self.capture.install()

    def _called(self) -> None:
        self.calls += 1


@pytest.fixture
def streams(monkeypatch: pytest.MonkeyPatch) -> Iterator[Streams]:
    made = Streams(monkeypatch)
    yield made
    made.capture.restore()


def texts(printed: tuple[Printed, ...]) -> dict[tuple[str, str], str]:
    """Routine and stream -> text."""
    return {(one.routine, one.stream): one.text for one in printed}


def in_thread(act: Any) -> None:
    thread = threading.Thread(target=act)
    thread.start()
    thread.join(TIMEOUT)


class Person:
    """An activation, as far as a capture looks at it."""

    def __init__(self, number: int) -> None:
        self.job_id = f"j{number}"
        self.routine = "r"


@pytest.fixture
def persons(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Person]]:
    """Whoever is last in the list is the one that prints."""
    acting: list[Person] = []
    monkeypatch.setattr(output, "acting_token", lambda: acting[-1] if acting else None)
    yield acting
    acting.clear()


class Source(Routine):
    out = Event(int)

    def logic(self) -> None:
        print("source")
        print("warning", file=sys.stderr)
        self.out.emit(1)


class Task(Routine):
    inp = Slot(int)

    async def logic(self, inp: int) -> None:
        print("before")
        await asyncio.sleep(0)
        await asyncio.to_thread(print, "in a thread of its own")
        print("after")


def test_what_a_body_or_coroutine_prints_is_told_with_job_and_routine(streams: Streams) -> None:
    streams.start()
    flow = Flow("printing")
    flow.add("first", Source())
    flow.add("second", Task())
    flow.connect("first.out", "second.inp")
    with Runtime(workers=2) as runtime:
        job = runtime.exec(flow)
        job.wait(TIMEOUT)
    print("outside")

    printed = streams.capture.take()

    assert texts(printed) == {
        ("first", "stdout"): "source\n",
        ("first", "stderr"): "warning\n",
        ("second", "stdout"): "before\nin a thread of its own\nafter\n",
        ("", "stdout"): "outside\n",
    }
    assert {one.job_id for one in printed} == {job.id, ""}
    assert sorted(one.number for one in printed) == [1, 2, 3, 4]


def test_lines_of_bodies_of_one_routine_stay_whole(streams: Streams, persons: list[Person]) -> None:
    streams.start()
    one, two = Person(1), Person(1)
    for person, text in ((one, "1"), (two, "2"), (one, "1\n"), (two, "2\n")):
        persons.append(person)
        sys.stdout.write(text)

    (printed,) = streams.capture.take()

    assert printed.text == "11\n22\n"


def test_all_that_is_printed_goes_on_to_the_real_stream(streams: Streams) -> None:
    streams.start()
    print("one", "two", end="")
    print("wrong", file=sys.stderr)

    assert streams.stdout.getvalue() == "one two"
    assert streams.stderr.getvalue() == "wrong\n"


class Flushed(io.StringIO):
    flushed = ""

    def flush(self) -> None:
        self.flushed = self.getvalue()


def test_a_line_is_flushed_when_it_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    real = Flushed()
    monkeypatch.setattr(sys, "stdout", real)
    capture = OutputCapture()
    capture.install()
    try:
        sys.stdout.write("begun")
        assert real.flushed == ""
        sys.stdout.write(" and ended\n")
        assert real.flushed == "begun and ended\n"
        print("said so", end="", flush=True)
        assert real.flushed.endswith("said so")
    finally:
        capture.restore()


def test_a_line_that_has_no_end_is_handed_out_after_one_take(streams: Streams) -> None:
    streams.start()
    take = streams.capture.take
    sys.stdout.write("50")
    assert take() == ()

    sys.stdout.write("%")
    assert texts(take()) == {("", "stdout"): "50%"}
    sys.stdout.write("\r")
    assert take() == ()
    sys.stdout.write("done\n")

    assert texts(take()) == {("", "stdout"): "\rdone\n"}


def test_a_line_that_has_no_end_is_its_activation_s(
    streams: Streams, persons: list[Person]
) -> None:
    streams.start()
    persons.append(Person(1))
    sys.stdout.write("begun")
    streams.capture.take()

    (printed,) = streams.capture.take()

    assert (printed.job_id, printed.routine, printed.text) == ("j1", "r", "begun")


def test_text_after_an_end_begins_a_line(streams: Streams) -> None:
    streams.start()
    sys.stdout.write("one\ntwo\nthr")

    assert texts(streams.capture.take()) == {("", "stdout"): "one\ntwo\n"}
    sys.stdout.write("ee\n")
    assert texts(streams.capture.take()) == {("", "stdout"): "three\n"}


def test_a_line_that_is_too_long_is_not_waited_for(streams: Streams) -> None:
    streams.start()
    sys.stdout.write("x" * MAX_LINE)
    assert texts(streams.capture.take()) == {("", "stdout"): "x" * MAX_LINE}
    sys.stdout.write("one\n" + "x" * MAX_LINE)
    assert texts(streams.capture.take()) == {("", "stdout"): "one\n" + "x" * MAX_LINE}
    for _ in range(output.MAX_PARTS):
        sys.stdout.write(".")
    assert texts(streams.capture.take()) == {("", "stdout"): "." * output.MAX_PARTS}


def test_somebody_is_told_once_until_it_is_taken(streams: Streams) -> None:
    streams.start()
    print("one")
    print("two")
    assert streams.calls == 1
    streams.capture.take()
    assert streams.calls == 1
    print("three")
    assert streams.calls == 2


def test_a_line_that_is_left_is_told_of_again(streams: Streams) -> None:
    streams.start()
    sys.stdout.write("no end")
    assert streams.calls == 1
    streams.capture.take()
    assert streams.calls == 2
    streams.capture.take()
    assert streams.calls == 2


def test_of_too_much_the_newest_is_kept_and_the_rest_counted(streams: Streams) -> None:
    streams.start()
    lines = [f"{number}\n" for number in range(50_000)]
    for line in lines:
        sys.stdout.write(line)

    (printed,) = streams.capture.take()

    everything = "".join(lines)
    assert printed.text == everything[-KEPT_CHARACTERS:]
    assert printed.lost == len(everything) - KEPT_CHARACTERS
    assert streams.stdout.getvalue() == everything
    print("next")
    assert streams.capture.take()[0].lost == 0


@given(st.lists(st.text("ab\n", max_size=5), max_size=30))
def test_nothing_is_lost_uncounted(parts: list[str]) -> None:
    capture = OutputCapture()
    stream = CapturedStream(capture, "stdout", io.StringIO())
    capture._streams = (stream,)
    told: list[str] = []
    lost = 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(output, "KEPT_CHARACTERS", 7)
        patch.setattr(output, "LOGGED", 3)
        for index, part in enumerate(parts):
            assert stream.write(part) == len(part)
            if index % 4 == 3:
                for one in capture.take():
                    told.append(one.text)
                    lost += one.lost
        for _ in range(2):
            for one in capture.take():
                told.append(one.text)
                lost += one.lost

    everything = "".join(parts)
    assert sum(map(len, told)) + lost == len(everything)
    if not lost:
        assert "".join(told) == everything


def test_more_sources_than_are_kept_are_counted_too(
    streams: Streams, persons: list[Person]
) -> None:
    streams.start()
    for number in range(MAX_SOURCES + 100):
        persons.append(Person(number))
        print(f"{number:05}")

    printed = streams.capture.take()

    assert sum(len(one.text) + one.lost for one in printed) == 6 * (MAX_SOURCES + 100)
    assert len(printed) <= MAX_SOURCES + 1
    assert printed[-1].text == f"{MAX_SOURCES + 99:05}\n"
    (nobody,) = [one for one in printed if not one.job_id]
    assert nobody.lost >= 600


def test_what_nobody_takes_is_bounded(streams: Streams) -> None:
    streams.start()
    for number in range(50_000):
        print(number)
    captured = sys.stdout
    assert isinstance(captured, CapturedStream)

    assert sum(len(text) for _, text in captured.log) <= output.LOGGED
    kept = sum(map(len, streams.capture._sources[("", "", "stdout")].texts))
    assert kept == KEPT_CHARACTERS


def test_what_dropped_sources_had_makes_room(
    streams: Streams, persons: list[Person], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output, "MAX_SOURCES", 3)
    monkeypatch.setattr(output, "KEPT_CHARACTERS", 5)
    monkeypatch.setattr(output, "KEPT_IN_ALL", 30)
    streams.start()
    for number in range(50):
        persons.append(Person(number))
        print("sixes")

    printed = streams.capture.take()

    assert printed[-1].text == "ixes\n"
    assert sum(len(one.text) + one.lost for one in printed) == 300


def test_all_sources_together_are_bounded(streams: Streams, persons: list[Person]) -> None:
    streams.start()
    block = "x" * (KEPT_CHARACTERS - 1) + "\n"
    many = KEPT_IN_ALL // KEPT_CHARACTERS + 20
    for number in range(many):
        persons.append(Person(number))
        sys.stdout.write(block)

    printed = streams.capture.take()

    assert sum(len(one.text) for one in printed) <= KEPT_IN_ALL
    assert sum(len(one.text) + one.lost for one in printed) == many * len(block)


def test_lines_nobody_ends_are_bounded(streams: Streams, persons: list[Person]) -> None:
    streams.start()
    for number in range(MAX_SOURCES + 10):
        persons.append(Person(number))
        sys.stdout.write("x")
    captured = sys.stdout
    assert isinstance(captured, CapturedStream)

    assert len(captured.lines) == MAX_SOURCES


def test_several_threads_lose_nothing_and_mix_no_line(
    streams: Streams, switch_interval: None
) -> None:
    """As long as no line stands unended while it is looked at twice."""
    sys.setswitchinterval(1e-6)
    streams.start()
    together = threading.Barrier(5)

    def talk(name: int) -> None:
        for number in range(300):
            if not number % 10:
                together.wait(TIMEOUT)
            print(name, number)

    told: list[Printed] = []
    with ThreadPoolExecutor(4) as pool:
        talks = [pool.submit(talk, name) for name in range(4)]
        for _ in range(30):
            together.wait(TIMEOUT)
            told += streams.capture.take()
        for one in talks:
            one.result(TIMEOUT)
    told += streams.capture.take()

    assert not [one for one in told if one.lost]
    lines = "".join(one.text for one in told).splitlines()
    assert sorted(lines) == sorted(f"{a} {b}" for a in range(4) for b in range(300))
    for name in range(4):
        mine = [line for line in lines if line.startswith(f"{name} ")]
        assert mine == [f"{name} {number}" for number in range(300)]


class Chatty:
    def __repr__(self) -> str:
        print("asked")
        return "chatty"


def test_a_repr_may_print(streams: Streams) -> None:
    streams.start()
    print([Chatty()])

    assert texts(streams.capture.take()) == {("", "stdout"): "asked\n[chatty]\n"}


def test_printing_in_the_middle_of_collecting_is_possible(
    streams: Streams, monkeypatch: pytest.MonkeyPatch
) -> None:
    streams.start()
    add = OutputCapture._add
    inner: list[int] = []

    def interrupted(self: OutputCapture, *given: Any) -> None:
        if not inner:
            inner.append(1)
            print("inner")
            self.take()
        add(self, *given)

    monkeypatch.setattr(OutputCapture, "_add", interrupted)
    print("outer")

    assert texts(streams.capture.take()) == {("", "stdout"): "outer\n"}


class Loud(str):
    def rfind(self, *_given: Any) -> int:
        raise AssertionError("called")

    def __len__(self) -> int:
        raise AssertionError("called")


def test_only_text_is_taken_and_none_of_its_methods_called(streams: Streams) -> None:
    streams.start()
    with pytest.raises(TypeError, match="must be str, not int"):
        sys.stdout.write(3)  # type: ignore[arg-type]
    sys.stdout.write(Loud("loud\n"))
    sys.stdout.writelines(["a\n", "b\n"])

    assert texts(streams.capture.take()) == {("", "stdout"): "loud\na\nb\n"}


def test_half_a_surrogate_pair_can_be_told(streams: Streams) -> None:
    streams.start()
    print("ü \ud800")

    (printed,) = streams.capture.take()

    assert printed.text == "ü \\ud800\n"
    assert printed.text.encode("utf-8")


def test_what_the_real_stream_raises_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding="ascii"))
    capture = OutputCapture()
    capture.install()
    try:
        with pytest.raises(UnicodeEncodeError):
            sys.stdout.write("ü\n")
        assert texts(capture.take()) == {("", "stdout"): "ü\n"}
    finally:
        capture.restore()


def test_the_streams_look_like_the_real_ones(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open(tmp_path / "out", "w", encoding="latin-1", errors="replace") as real:
        monkeypatch.setattr(sys, "stdout", real)
        capture = OutputCapture()
        capture.install()
        try:
            captured: TextIO = sys.stdout
            assert captured is not real
            assert (captured.encoding, captured.errors) == ("latin-1", "replace")
            assert captured.fileno() == real.fileno()
            assert captured.name == real.name
            assert not captured.isatty()
            assert captured.writable()
            assert not captured.readable()
            captured.buffer.write(b"bytes")
            captured.reconfigure(line_buffering=True)  # type: ignore[attr-defined]
            assert real.line_buffering
            captured.close()
            print("still open")
        finally:
            capture.restore()
        assert capture.take()[0].text == "still open\n"
    assert (tmp_path / "out").read_text() == "bytesstill open\n"


def test_a_process_without_streams_can_be_captured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    capture = OutputCapture()
    capture.install()
    try:
        print("heard", flush=True)
        with pytest.raises(io.UnsupportedOperation):
            sys.stdout.fileno()
    finally:
        capture.restore()

    assert texts(capture.take()) == {("", "stdout"): "heard\n"}
    assert sys.stdout is None


def test_a_logger_made_meanwhile_writes_on_afterwards(
    streams: Streams, monkeypatch: pytest.MonkeyPatch
) -> None:
    streams.start()
    logger = logging.getLogger("penstock.printing")
    handler = logging.StreamHandler()
    monkeypatch.setattr(logger, "handlers", [handler])
    monkeypatch.setattr(logger, "propagate", False)
    monkeypatch.setattr(logger, "level", logging.INFO)
    logger.info("first")
    streams.capture.restore()

    logger.info("second")

    assert texts(streams.capture.take()) == {("", "stderr"): "first\n"}
    assert streams.stderr.getvalue() == "first\nsecond\n"
    assert sys.stderr is streams.stderr
    assert isinstance(handler.stream, CapturedStream)
    assert not handler.stream.log


def test_a_line_without_end_is_there_after_the_capture(streams: Streams) -> None:
    streams.start()
    sys.stdout.write("no end")

    streams.capture.restore()

    assert texts(streams.capture.take()) == {("", "stdout"): "no end"}


def test_what_another_one_put_there_stays(
    streams: Streams, monkeypatch: pytest.MonkeyPatch
) -> None:
    streams.start()
    other = io.StringIO()
    monkeypatch.setattr(sys, "stdout", other)

    streams.capture.restore()

    assert sys.stdout is other
    assert sys.stderr is streams.stderr


def test_installing_twice_is_installing_once(streams: Streams) -> None:
    streams.start()
    captured = sys.stdout

    streams.capture.install()

    assert sys.stdout is captured


FORKS = """
import os, sys, threading
from penstock.host.serving.output import OutputCapture
capture = OutputCapture()
capture.install()
held, over = threading.Event(), threading.Event()

def hold():
    with capture._lock:
        held.set()
        over.wait(20)

thread = threading.Thread(target=hold)
thread.start()
held.wait(20)
sys.stdout.write("parent ")
sys.stdout.flush()
child = os.fork()
if not child:
    print("child")
    print("x" * 100_000)
    assert capture.take() == capture.take() == ()
    sys.stdout.flush()
    os._exit(7)
status = os.waitpid(child, 0)[1]
over.set()
thread.join()
print("still here")
capture.restore()
print(os.waitstatus_to_exitcode(status), [one.text for one in capture.take()])
"""
EXITS = """
import atexit
from penstock.host.serving.output import OutputCapture
OutputCapture().install()
class Last:
    def __del__(self):
        print("deleted")
last = Last()
atexit.register(print, "at exit", end=" ")
print("main", end=" ")
"""
EXITS_WITH_DAEMON = """
import sys, threading
from penstock.host.serving.output import OutputCapture
OutputCapture().install()
begun = threading.Event()
def talk():
    while True:
        print("daemon", file=sys.stderr)
        begun.set()
threading.Thread(target=talk, daemon=True).start()
begun.wait(20)
print("main", end=" ")
"""
CRASHES = """
import os
from penstock.host.serving.output import OutputCapture
OutputCapture().install()
print("the last line")
os._exit(3)
"""
IMPORTS = """
import sys
before = sys.stdout, sys.stderr
import penstock.host, penstock.host.serving.output
assert before == (sys.stdout, sys.stderr)
"""


def run(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", program],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks")
def test_a_forked_process_prints_as_it_would_and_collects_nothing() -> None:
    told = run(FORKS)

    assert told.stderr == ""
    assert told.stdout == (
        f"parent child\n{'x' * 100_000}\nstill here\n7 ['parent still here\\n']\n"
    )


def test_printing_goes_on_until_the_interpreter_ends() -> None:
    told = run(EXITS)

    assert (told.returncode, told.stdout, told.stderr) == (0, "main at exit deleted\n", "")


def test_a_daemon_thread_that_prints_holds_no_exit_up() -> None:
    told = run(EXITS_WITH_DAEMON)

    assert (told.returncode, told.stdout) == (0, "main ")
    assert told.stderr.startswith("daemon\n")


def test_the_last_line_before_a_sudden_end_is_there() -> None:
    told = run(CRASHES)

    assert (told.returncode, told.stdout) == (3, "the last line\n")


def test_nothing_is_captured_by_an_import() -> None:
    assert run(IMPORTS).stderr == ""
