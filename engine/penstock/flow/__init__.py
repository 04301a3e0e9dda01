"""What a flow is: no thread, no clock, no queue, and nothing here runs a flow's code unasked.

General layout, a line uses only lines above it:
    numbers, ports, activation, error_policy, failure, connection    what is declared, frozen values
    values, typetext            a value against a type, the text of a type against another's
    routine, shape              the base class and binding to a job, what a class declares
    rules                       what a routine sets for the engine, and whether it can go
    spec, live                  a routine as text, made of a live one
    files, jsontext, schema     reading and writing flow files
    source, syntax              modules and syntax trees, as text
    config_fields, settings     fields, rules and policies as written in a class
    reading, catalog            routines read from their source, by name or folder
    problems, document          what is wrong or unfinished, a flow as its file's object
    flow                        Flow
    loading                     importing a loaded flow's routines, once it is trusted
"""

from penstock.flow.activation import (
    Activation,
    AllSlots,
    AnySlot,
    Batch,
    Every,
    Latest,
    key_function,
)
from penstock.flow.catalog import describe, find_routines
from penstock.flow.connection import Connection, port_ref
from penstock.flow.error_policy import Continue, ErrorPolicy, Retry, Skip, Stop
from penstock.flow.failure import Failure
from penstock.flow.files import read_text, shown, write_text
from penstock.flow.flow import Flow
from penstock.flow.jsontext import parse as parse_json
from penstock.flow.jsontext import pretty as pretty_json
from penstock.flow.loading import instantiate
from penstock.flow.numbers import is_count
from penstock.flow.ports import Emits, Event, Overflow, Slot
from penstock.flow.problems import Problem, Severity
from penstock.flow.routine import Routine, RunBinding, bind, set_state
from penstock.flow.rules import activation_problem
from penstock.flow.shape import Shape, shape_of
from penstock.flow.source import roots_of
from penstock.flow.spec import (
    REQUIRED,
    EventSpec,
    FieldSpec,
    RoutineSpec,
    SlotSpec,
    validate_field,
)
from penstock.flow.typetext import compatible, fits
from penstock.flow.values import check_json, check_python

__all__ = [
    "REQUIRED",
    "Activation",
    "AllSlots",
    "AnySlot",
    "Batch",
    "Connection",
    "Continue",
    "Emits",
    "ErrorPolicy",
    "Event",
    "EventSpec",
    "Every",
    "Failure",
    "FieldSpec",
    "Flow",
    "Latest",
    "Overflow",
    "Problem",
    "Retry",
    "Routine",
    "RoutineSpec",
    "RunBinding",
    "Severity",
    "Shape",
    "Skip",
    "Slot",
    "SlotSpec",
    "Stop",
    "activation_problem",
    "bind",
    "check_json",
    "check_python",
    "compatible",
    "describe",
    "find_routines",
    "fits",
    "instantiate",
    "is_count",
    "key_function",
    "parse_json",
    "port_ref",
    "pretty_json",
    "read_text",
    "roots_of",
    "set_state",
    "shape_of",
    "shown",
    "validate_field",
    "write_text",
]
