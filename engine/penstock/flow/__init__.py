"""What a flow is: no thread, no clock, no queue, and nothing here runs a flow's code unasked.

General layout, a line uses only lines above it:
    ports, activation, error_policy, failure, connection    what is declared, frozen values
    values                      a value against a type
    routine                     the base class and what a class looks like
    spec                        a routine as text
    flow                        Flow
"""

from penstock.flow.activation import AllSlots, key_function
from penstock.flow.connection import Connection
from penstock.flow.error_policy import Continue, ErrorPolicy, Stop
from penstock.flow.failure import Failure
from penstock.flow.flow import Flow
from penstock.flow.ports import Emits, Event, Slot
from penstock.flow.routine import Routine, RunBinding, Shape, bind, set_state, shape_of
from penstock.flow.spec import (
    REQUIRED,
    EventSpec,
    FieldSpec,
    RoutineSpec,
    SlotSpec,
    validate_field,
)
from penstock.flow.values import check_json, check_python

__all__ = [
    "REQUIRED",
    "AllSlots",
    "Connection",
    "Continue",
    "Emits",
    "ErrorPolicy",
    "Event",
    "EventSpec",
    "Failure",
    "FieldSpec",
    "Flow",
    "Routine",
    "RoutineSpec",
    "RunBinding",
    "Shape",
    "Slot",
    "SlotSpec",
    "Stop",
    "bind",
    "check_json",
    "check_python",
    "key_function",
    "set_state",
    "shape_of",
    "validate_field",
]
