"""A Hypothesis state machine over the real runtime: random flows, steered at random.

Its rules start jobs, post, pause, step, cancel and so on; `helpers.machine_checks` says what must
hold then.
"""

from __future__ import annotations

import logging
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from time import monotonic
from typing import Any, Literal, cast

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from helpers.machine_checks import DEADLINE, Checked, Job, LoudLog, Record
from helpers.random_flows import FLOWS, Desk, Gate, Node, build, weighted
from penstock import Debugger, JobEnded, JobStatus, Runtime, SlotFull
from penstock.run.messages import StallChoice

MOST_JOBS = 3
JOB_TIMEOUT = 0.05
JOB = st.integers(0, MOST_JOBS - 1)


class Flows(Checked):
    """Up to three jobs of random flows on one runtime."""

    @initialize(
        workers=st.sampled_from([2, 1, 4]),
        loop=st.sampled_from(["thread", "pool"]),
        foreign=weighted(False, True),
        nodes=FLOWS,
        held=weighted(False, True),
        keep_open=weighted(False, True),
        remedy=st.sampled_from(["grow", "drop", "cancel"]),
    )
    def begin(
        self,
        workers: int,
        loop: Literal["thread", "pool"],
        foreign: bool,
        nodes: tuple[Node, ...],
        held: bool,
        keep_open: bool,
        remedy: str,
    ) -> None:
        self.log = LoudLog()
        logging.getLogger("penstock").addHandler(self.log)
        self.gate = Gate()
        self.record = Record()
        self.workers = workers
        self.foreign = ThreadPoolExecutor(workers) if foreign else None
        self.runtime = Runtime(
            workers=workers, thread_pool=self.foreign, loop=loop, instruments=[self.record]
        )
        self.debugger = Debugger(self.runtime)
        self.story.append(f"Runtime(workers={workers}, loop={loop!r}, foreign={foreign})")
        self.counts["examples"] += 1
        self.start(nodes, None, held, keep_open, False, remedy)

    # ---- rules

    @rule(
        nodes=FLOWS,
        loop=st.sampled_from([None, "thread", "pool"]),
        held=weighted(False, True),
        keep_open=weighted(False, True),
        timed=weighted(False, True),
        remedy=st.sampled_from(["grow", "drop", "cancel"]),
    )
    def start(
        self,
        nodes: tuple[Node, ...],
        loop: Literal["thread", "pool"] | None,
        held: bool,
        keep_open: bool,
        timed: bool,
        remedy: str,
    ) -> None:
        self.tell("start", nodes, loop, held, keep_open, timed, remedy)
        if len(self.jobs) == MOST_JOBS:
            return
        assert self.runtime is not None
        desk = Desk(nodes, self.gate)
        params = {"n0.x": "0:param"} if nodes[0].slots else {}
        state = self.runtime.exec(
            build(nodes, desk),
            entry_params=params,
            timeout=JOB_TIMEOUT if timed else None,
            keep_open=keep_open,
            held=held,
            loop=loop,
            seed=1,
        )
        self.record.jobs[state.id] = state
        job = Job(state, nodes, desk, keep_open, timed, remedy, posts=Counter(params))
        job.posts = Counter(dict.fromkeys(params, 1))
        for i, node in enumerate(nodes):
            job.most.update({f"n{i}.{name}": node.capacity for name in node.slots})
        self.jobs.append(job)
        self.counts["jobs"] += 1

    @rule(which=JOB, slot=st.integers(0, 11), timeout=st.sampled_from([0.0, 0.003]))
    def post(self, which: int, slot: int, timeout: float) -> None:
        self.tell("post", which, slot, timeout)
        job = self.pick(which)
        ref = job.slot(slot)
        if ref is None:
            return
        value = f"0:post{len(self.story)}"
        with suppress(SlotFull, JobEnded):
            self.engine.post(job.id, ref, value, timeout=timeout)
            job.posts[ref] += 1

    @rule(which=JOB, many=st.integers(2, 12), slot=st.integers(0, 11))
    def post_several(self, which: int, many: int, slot: int) -> None:
        for _ in range(many):
            self.post(which, slot, 0.0)

    @rule(which=JOB, node=st.integers(0, 5))
    def emit_from_outside(self, which: int, node: int) -> None:
        self.tell("emit_from_outside", which, node)
        job = self.pick(which)
        index = node % len(job.nodes)
        with suppress(SlotFull, JobEnded):
            self.engine.handle_event_emit(job.id, f"n{index}.out", f"0:event{len(self.story)}")
            job.emitted[f"n{index}.out"] += 1

    @rule(which=JOB)
    def pause(self, which: int) -> None:
        self.tell("pause", which)
        self.debugger.pause(self.pick(which).id)

    @rule()
    def pause_all(self) -> None:
        self.tell("pause_all")
        self.debugger.pause()

    @rule(which=JOB)
    def resume(self, which: int) -> None:
        self.tell("resume", which)
        self.debugger.resume(self.pick(which).id)

    @rule()
    def resume_all(self) -> None:
        self.tell("resume_all")
        self.debugger.resume()

    @rule(which=JOB)
    def flutter(self, which: int) -> None:
        self.tell("flutter", which)
        for _ in range(3):
            self.debugger.pause(self.pick(which).id)
            self.debugger.resume(self.pick(which).id)

    @rule(which=JOB, many=st.integers(1, 3))
    def step(self, which: int, many: int) -> None:
        self.tell("step", which, many)
        job = self.pick(which)
        for _ in range(many):
            self.debugger.step(job.id)
            self.debugger.wait_held(job.id, 0.002)

    @rule(which=JOB, node=st.integers(0, 5))
    def toggle_breakpoint(self, which: int, node: int) -> None:
        self.tell("toggle_breakpoint", which, node)
        place = f"n{node % len(self.pick(which).nodes)}"
        there = [one.id for one in self.debugger.breakpoints.list() if one.place == place]
        if there:
            self.debugger.breakpoints.remove(there[0])
        else:
            self.debugger.breakpoints.add(place)

    @rule(many=st.sampled_from([1, 2, 5, 100]))
    def let_go(self, many: int) -> None:
        self.tell("let_go", many)
        self.gate.let_go(many)

    @rule(which=JOB, slot=st.integers(0, 11), capacity=st.sampled_from([1, 2, 4, 50]))
    def resize(self, which: int, slot: int, capacity: int) -> None:
        self.tell("resize", which, slot, capacity)
        job = self.pick(which)
        ref = job.slot(slot)
        if ref is None:
            return
        job.most[ref] = max(job.most[ref], capacity)
        with suppress(JobEnded):
            self.engine.jobs.resize(job.id, ref, capacity)

    @rule(which=JOB, choice=st.sampled_from(["grow", "drop", "cancel"]))
    def unstall(self, which: int, choice: str) -> None:
        self.tell("unstall", which, choice)
        self.help_over(self.pick(which), choice)

    @rule(which=JOB)
    def cancel(self, which: int) -> None:
        self.tell("cancel", which)
        job = self.pick(which)
        job.cancelled = True
        self.engine.jobs.cancel(job.id)

    @rule(which=JOB)
    def close_job(self, which: int) -> None:
        self.tell("close", which)
        self.engine.jobs.close(self.pick(which).id)
        self.pick(which).keep_open = False

    @rule(which=JOB)
    def wait(self, which: int) -> None:
        self.tell("wait", which)
        self.pick(which).state.wait(0.003)

    @rule(which=JOB)
    def make_quiet(self, which: int) -> None:
        """Hold the job and look: nothing moves, and each message is somewhere."""
        self.tell("make_quiet", which)
        job = self.pick(which)
        self.debugger.pause(job.id)
        self.until(job, "neither held nor ended", lambda: self.is_quiet(job, True))
        if not job.state.status.is_final:
            self.check_quiet(job)

    def is_quiet(self, job: Job, let_go: bool) -> bool:
        if let_go:
            self.gate.let_go(1 << 30)
        return job.state.status is JobStatus.PAUSED or job.state.status.is_final

    # ---- helpers

    def pick(self, which: int) -> Job:
        return self.jobs[which % len(self.jobs)]

    def tell(self, name: str, *arguments: Any) -> None:
        self.counts["steps"] += 1
        self.story.append(f"{name}({', '.join(map(repr, arguments))})")

    def help_over(self, job: Job, choice: str) -> None:
        """Unstall, noting beforehand what it may do."""
        if not job.state.stalled:
            return
        self.counts["stalls"] += 1
        job.grew |= choice == "grow"
        job.dropped |= choice == "drop"
        job.cancelled |= choice == "cancel"
        with suppress(JobEnded):
            self.engine.jobs.unstall(job.id, cast("StallChoice", choice))

    # ---- the end

    def teardown(self) -> None:
        if self.runtime is None:
            return
        try:
            for job in self.jobs:
                self.bring_to_the_end(job)
            for job in self.jobs:
                self.check_end(job)
            self.counts["reaped"] += len(self.runtime.jobs.reap(keep=1))
            self.check(len(self.runtime.jobs.list()) == 1, "reap(keep=1) keeps another number")
        finally:
            self.gate.open()
            begin = monotonic()
            self.runtime.shutdown()
            took = monotonic() - begin
            if self.foreign is not None:
                self.foreign.shutdown()
            logging.getLogger("penstock").removeHandler(self.log)
        self.check(took < 4.0, f"shutdown took {took:.1f} s")
        self.check(not self.log.lines, "\n".join(["logged:", *self.log.lines]))
        self.check_threads()

    def bring_to_the_end(self, job: Job) -> None:
        """With nothing in its way any job ends: quiescence is reached."""
        self.gate.open()
        self.debugger.breakpoints.clear()
        self.debugger.resume()
        self.engine.jobs.close(job.id)

        def is_over() -> bool:
            self.help_over(job, job.remedy)
            if self.debugger.held(job.id):  # a breakpoint hit before it was cleared
                self.debugger.resume(job.id)
            return job.state.wait(0.002).is_final

        self.until(job, "doesn't end", is_over)
        job.state.wait(DEADLINE)  # a wait that ran out may have come before the end was told


def machine_settings(examples: int, steps: int, **more: Any) -> settings:
    """Settings of a run of `Flows`."""
    return settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        **more,
    )
