"""The base class of routines, what a class's ports and body look like, and binding to a job."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar, Protocol
from weakref import WeakKeyDictionary

from pydantic import BaseModel, ConfigDict, ValidationError

from penstock.errors import FlowError, InvalidValue
from penstock.flow.activation import AllSlots
from penstock.flow.error_policy import Continue, ErrorPolicy, Stop
from penstock.flow.failure import Failure
from penstock.flow.ports import Event, Slot, is_count
from penstock.flow.values import explain


class RunBinding(Protocol):
    """What a running job offers the instance it bound."""

    @property
    def cancelled(self) -> bool: ...
    def checkpoint(self) -> None: ...
    def sleep(self, seconds: float) -> None: ...


class Routine:
    """One node of a flow: slots in, events out, a ``Config``, and ``logic``.

    ``logic`` takes one parameter per slot, named like it, and emits by
    ``self.<event>.emit(value)``; as a generator it offers, at each bare ``yield``, a point where it
    may be held or cancelled. Without slots it is a source and runs once. ``finish()``, if there is
    one, runs once per job when nothing can arrive any more. One instance serves many jobs, so what
    belongs to a job goes to ``self.state``, made of the nested class ``State`` for each job.
    """

    activation: AllSlots = AllSlots()
    max_parallel: int | None = 1
    on_error: ErrorPolicy = Stop()
    failed = Event(Failure, doc="What became of an activation that raised.")

    Config: ClassVar[Any] = None
    State: ClassVar[Any] = None
    config: Any = None
    state: Any = None
    logic: Callable[..., Any]

    def __init__(self, **config: Any) -> None:
        self.__dict__["config"] = _validated(type(self), config)

    def __setattr__(self, name: str, value: Any) -> None:
        self._refuse_when_sealed(name)
        super().__setattr__(name, value)

    def __delattr__(self, name: str) -> None:
        self._refuse_when_sealed(name)
        super().__delattr__(name)

    @property
    def cancelled(self) -> bool:
        """Whether the job that runs this body has ended; a long loop looks at it and returns."""
        run: RunBinding | None = self.__dict__.get("_run")
        return run is not None and run.cancelled

    def checkpoint(self) -> None:
        """Raises Cancelled when the job has ended; may wait while it is held."""
        run: RunBinding | None = self.__dict__.get("_run")
        if run is not None:
            run.checkpoint()

    def sleep(self, seconds: float) -> None:
        """Wait that long; ends early, raising Cancelled, when the job ends."""
        run: RunBinding | None = self.__dict__.get("_run")
        if run is None:
            threading.Event().wait(seconds)
        else:
            run.sleep(seconds)

    def _refuse_when_sealed(self, name: str) -> None:
        if "_sealed" in self.__dict__:
            raise FlowError(
                f"{type(self).__name__}.{name}: a routine that is part of a flow serves many jobs"
                " and can't be changed; keep what belongs to a job in self.state"
            )


@dataclass(frozen=True, slots=True)
class Shape:
    """What a routine class declares, ports in the order of definition, inherited ones first.

    The values of the slots in ``positional`` are passed to ``logic`` by position in that order,
    those of the slots in ``keyword`` by name. ``events`` is without the implicit ``failed``.
    """

    slots: Mapping[str, Slot]
    events: Mapping[str, Event]
    positional: tuple[str, ...]
    keyword: tuple[str, ...]
    is_generator: bool
    has_state: bool
    has_finish: bool


_shapes: WeakKeyDictionary[type[Routine], Shape] = WeakKeyDictionary()
_config_types: WeakKeyDictionary[type[Routine], type[BaseModel]] = WeakKeyDictionary()


def shape_of(cls: type[Routine]) -> Shape:
    """What that class looks like; raises FlowError saying what is wrong with it."""
    shape = _shapes.get(cls)
    if shape is None:
        shape = _shapes[cls] = _read_shape(cls)
    return shape


def seal(routine: Routine) -> None:
    """From now on setting an attribute of it raises."""
    routine.__dict__["_sealed"] = True


def bind(routine: Routine, emitters: Mapping[str, object], run: RunBinding | None) -> Routine:
    """A sealed twin for one job: the same attributes, the job's emitters and its run binding.

    No ``__init__`` runs. `emitters` holds one per event, ``failed`` included.
    """
    twin = object.__new__(type(routine))
    twin.__dict__.update(routine.__dict__)
    twin.__dict__.update(emitters)
    twin.__dict__.update(_run=run, _sealed=True)
    return twin


def set_state(routine: Routine, state: object) -> None:
    """Give a bound routine its job's state, seal or not."""
    routine.__dict__["state"] = state


def config_type(cls: type[Routine]) -> type[BaseModel]:
    """The class's ``Config``, frozen, refusing unknown fields unless it says otherwise."""
    known = _config_types.get(cls)
    if known is None:
        known = _config_types[cls] = _frozen_config(cls)
    return known


class NoConfig(BaseModel):
    """Stands for the Config of a routine without one: no field is known."""


def with_config(cls: type[Routine], config: BaseModel) -> Routine:
    """An instance with that already validated config, made through the class's own ``__init__``."""
    given = {name: getattr(config, name) for name in config.model_fields_set}
    routine: Routine = object.__new__(cls)
    if cls.__init__ is not Routine.__init__:
        routine = cls(**given)
    routine.__dict__["config"] = None if isinstance(config, NoConfig) else config
    return routine


def _frozen_config(cls: type[Routine]) -> type[BaseModel]:
    declared = cls.Config
    if declared is None:
        declared = NoConfig
    if not (isinstance(declared, type) and issubclass(declared, BaseModel)):
        raise FlowError(f"{cls.__name__}.Config: expected a class derived from pydantic.BaseModel")
    settings: ConfigDict = {"frozen": True, "extra": declared.model_config.get("extra", "forbid")}
    body = {
        "__module__": declared.__module__,
        "__qualname__": declared.__qualname__,
        "__doc__": declared.__doc__,
        "model_config": settings,
    }
    make: Callable[..., type[BaseModel]] = type(declared)
    return make(declared.__name__, (declared,), body)


def _validated(cls: type[Routine], values: dict[str, Any]) -> BaseModel | None:
    model = config_type(cls)
    try:
        config = model.model_validate(values)
    except ValidationError as error:
        raise InvalidValue(f"{cls.__name__}.{explain(error)}") from None
    return None if issubclass(model, NoConfig) else config


def _read_shape(cls: type[Routine]) -> Shape:
    slots, events = _declared_ports(cls)
    positional, keyword = _passed_slots(cls, tuple(slots))
    _check_settings(cls)
    return Shape(
        slots=MappingProxyType(slots),
        events=MappingProxyType(events),
        positional=positional,
        keyword=keyword,
        is_generator=inspect.isgeneratorfunction(inspect.unwrap(cls.logic)),
        has_state=cls.State is not None,
        has_finish=_has_finish(cls),
    )


def _declared_ports(cls: type[Routine]) -> tuple[dict[str, Slot], dict[str, Event]]:
    ports: dict[str, Slot | Event] = {}
    for owner in reversed(cls.__mro__):
        if owner in (object, Routine):
            continue
        for name, value in vars(owner).items():
            if isinstance(value, Slot | Event):
                _check_port_name(cls, name)
                ports[name] = value
            else:
                ports.pop(name, None)
    slots = {name: port for name, port in ports.items() if isinstance(port, Slot)}
    events = {name: port for name, port in ports.items() if isinstance(port, Event)}
    return slots, events


def _check_port_name(cls: type[Routine], name: str) -> None:
    if hasattr(Routine, name) or name in ("logic", "finish", "_run", "_sealed"):
        raise FlowError(
            f"{cls.__name__}.{name}: a slot or event can't have this name,"
            " it means something else in every routine",
            port=name,
        )


def _passed_slots(
    cls: type[Routine], slots: tuple[str, ...]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """How ``logic`` gets its values: slots by position, then slots by name."""
    parameters = list(_body_parameters(cls, "logic"))
    positional: list[str] = []
    for parameter in parameters:
        if parameter.name not in slots or parameter.kind not in _BY_POSITION:
            break
        positional.append(parameter.name)
    takes_any = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters)
    by_name = {parameter.name for parameter in parameters if parameter.kind in _BY_NAME}
    rest = tuple(name for name in slots if name not in positional)
    for name in rest:
        if name not in by_name and not takes_any:
            raise FlowError(
                f"{cls.__name__}.logic has no parameter for slot {name!r}:"
                f" expected logic(self, {', '.join(slots)})",
                port=name,
            )
    for parameter in parameters:
        if parameter.name not in slots and _needs_value(parameter):
            raise FlowError(
                f"{cls.__name__}.logic: parameter {parameter.name!r} is no slot of it"
                " and has no default"
            )
    return tuple(positional), rest


_BY_POSITION = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_BY_NAME = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


def _needs_value(parameter: inspect.Parameter) -> bool:
    variable = parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    return not variable and parameter.default is parameter.empty


def _body_parameters(cls: type[Routine], method: str) -> Iterator[inspect.Parameter]:
    """The parameters of ``logic`` or ``finish`` without ``self``."""
    static = inspect.getattr_static(cls, method, None)
    body = getattr(cls, method, None)
    if not callable(body):
        raise FlowError(f"{cls.__name__} has no {method}: define {method}(self, ...)")
    inner = inspect.unwrap(body)
    if inspect.iscoroutinefunction(inner) or inspect.isasyncgenfunction(inner):
        raise FlowError(
            f"{cls.__name__}.{method} is async; expected a plain function or a generator"
        )
    try:
        parameters = list(inspect.signature(body).parameters.values())
    except (TypeError, ValueError) as error:
        raise FlowError(f"{cls.__name__}.{method} has no readable signature: {error}") from None
    bound = isinstance(static, staticmethod | classmethod) or not inspect.isroutine(static)
    if not bound and parameters and parameters[0].kind in _BY_POSITION:
        parameters = parameters[1:]
    elif not bound and not (parameters and parameters[0].kind is inspect.Parameter.VAR_POSITIONAL):
        raise FlowError(f"{cls.__name__}.{method} takes no self: define {method}(self, ...)")
    yield from parameters


def _has_finish(cls: type[Routine]) -> bool:
    if getattr(cls, "finish", None) is None:
        return False
    needed = [p.name for p in _body_parameters(cls, "finish") if _needs_value(p)]
    if needed:
        raise FlowError(f"{cls.__name__}.finish takes no values; {needed[0]!r} has no default")
    if inspect.isgeneratorfunction(inspect.unwrap(cls.finish)):  # type: ignore[attr-defined]
        raise FlowError(f"{cls.__name__}.finish is a generator; expected a plain function")
    return True


def _check_settings(cls: type[Routine]) -> None:
    if not isinstance(cls.activation, AllSlots):
        raise FlowError(f"{cls.__name__}.activation: expected AllSlots(), got {cls.activation!r}")
    limit = cls.max_parallel
    if limit is not None and not is_count(limit):
        raise FlowError(
            f"{cls.__name__}.max_parallel: expected None or a whole number from 1 on, got {limit!r}"
        )
    if not isinstance(cls.on_error, Stop | Continue):
        raise FlowError(
            f"{cls.__name__}.on_error: expected Stop() or Continue(), got {cls.on_error!r}"
        )
