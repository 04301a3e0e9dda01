"""For tests of flows and routines: the engine on the test's own thread, by a clock it moves.

A routine on its own:

    >>> from penstock.testing import run_routine
    >>> run_routine(Double(), 1, 2)["twice"]
    [2, 4]

A whole flow:

    >>> from penstock.testing import run_flow
    >>> job = run_flow(flow, {"double.number": 4})
    >>> job.outputs["double.twice"]
    [8]

No thread is started and nothing waits: whatever would wait for a time moves the clock there.
Everything goes through the same core and executor as in a `Runtime`, on another pool.

General layout, a line uses only lines above it:
    clock        ManualClock
    coroutines   async logic by that clock
    pool         InlinePool
    runtime      InlineRuntime, run_flow
    routine      run_routine
"""

from penstock.testing.clock import ManualClock
from penstock.testing.pool import InlinePool, NeverEnds
from penstock.testing.routine import Gap, RoutineResult, run_routine
from penstock.testing.runtime import InlineRuntime, run_flow

__all__ = [
    "Gap",
    "InlinePool",
    "InlineRuntime",
    "ManualClock",
    "NeverEnds",
    "RoutineResult",
    "run_flow",
    "run_routine",
]
