"""The running machinery: what happens to a message, and on which thread.

General layout, a line uses only lines above it:
    state, hold, failures, matching, timers     statuses, arrows; what is held; pure decisions
    routing                                     a flow compiled
    emitters, records, slices                   what a body emits by; a job's records; what a
                                                worker runs
    worker, steward, interrupt, pools           who runs work; deadlines, urgent drains; raising
                                                in a stuck body; what a job needs of a pool
    pool, foreign, coroutines                   our threads; an executor's; the asyncio thread
    messages, instructions, telling             what enters the core, what leaves it, its events
    granting, ending, arriving, failing,        every decision of one job, by topic, each using
    holding, counting, core                     those before it; pure
    posting, reading, executor                  one job: posts, pictures, task queue, event loop
    manager, runtime                            all jobs; what they share

| thread | name | writes | others reach it by |
|---|---|---|---|
| any caller | its own | a job's places for posts, under its lock | `Runtime.*` queues a message |
| job loop | penstock-job-<id> | that job's core, under its guard and lock | the task queue |
| worker | penstock-worker-<n> | its token; appends emissions and reports | the pool |
| steward | penstock-steward | its own deadlines | its latch |
| asyncio | penstock-async | as a worker, for each coroutine's token | the asyncio loop |

With ``loop="pool"`` a job has no loop thread: a worker, or the steward while all are busy, holds
its guard and drains it. A body that reports after its job's end counts itself, under the lock.
"""

from penstock.run.emitters import acting_token
from penstock.run.executor import JobExecutor
from penstock.run.failures import failure_of
from penstock.run.hold import Hold, ReadyActivation, StopPoint
from penstock.run.manager import GlobalJobManager
from penstock.run.messages import Sample, Step
from penstock.run.pool import WorkerInfo, WorkerPool
from penstock.run.runtime import Runtime, RuntimeStatistics
from penstock.run.state import ARROWS, JobSnapshot, JobState, JobStatus

__all__ = [
    "ARROWS",
    "GlobalJobManager",
    "Hold",
    "JobExecutor",
    "JobSnapshot",
    "JobState",
    "JobStatus",
    "ReadyActivation",
    "Runtime",
    "RuntimeStatistics",
    "Sample",
    "Step",
    "StopPoint",
    "WorkerInfo",
    "WorkerPool",
    "acting_token",
    "failure_of",
]
