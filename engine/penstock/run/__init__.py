"""The running machinery: what happens to a message, and on which thread.

General layout, a line uses only lines above it:
    state, hold, failures, matching   statuses and arrows; frozen descriptions; pure decisions
    routing                           a flow compiled
    slices, pool                      what a worker runs; the workers
    messages, instructions            what enters the core and what leaves it
    telling, core, counting           every decision of one job, pure
    executor                          one job: task queue, event loop
    manager, runtime                  all jobs; what they share

| thread | name | writes | others reach it by |
|---|---|---|---|
| any caller | its own | nothing of ours | `Runtime.*` queues a message |
| job loop | penstock-job-<id> | that job's core | the executor's task queue |
| worker | penstock-worker-<n> | its token; appends emissions and reports | the pool |
"""

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
    "failure_of",
]
