"""The base class of routines, what a class's ports and body look like, and binding to a job."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Any, ClassVar, Protocol
from weakref import WeakKeyDictionary

from pydantic import BaseModel, ConfigDict, ValidationError

from penstock.errors import FlowError, InvalidValue
from penstock.flow.activation import Activation, AllSlots
from penstock.flow.error_policy import ErrorPolicy, Stop
from penstock.flow.failure import Failure
from penstock.flow.ports import Emits, Event
from penstock.flow.values import explain


class RunBinding(Protocol):
    """What a running job offers the instance it bound."""

    @property
    def cancelled(self) -> bool: ...
    def checkpoint(self) -> None: ...
    def sleep(self, seconds: float) -> None: ...
    def late_emitter(self, routine: Routine, event: str) -> Emits: ...


class Named(Protocol):
    """An emitter, as far as binding needs it."""

    @property
    def name(self) -> str: ...


class Routine:
    """One node of a flow: slots in, events out, a ``Config``, and ``logic``.

    ``logic`` takes one parameter per slot, named like it, and emits by
    ``self.<event>.emit(value)``. As a generator it offers, at each bare ``yield``, a point where it
    may be held or cancelled; as ``async def`` it runs on the runtime's asyncio thread, so it must
    await whatever takes time. Without slots it is a source and runs once. ``finish()``, if there is
    one, runs once per job when nothing can arrive any more. One instance serves many jobs, so what
    belongs to a job goes to ``self.state``, made of the nested class ``State`` for each job.
    Values aren't copied on their way: don't change one you were given (see `Event`).

    The engine reads these, of the class or set on an instance before it is added to a flow:

    - ``activation``: which messages make one run of ``logic``.
    - ``max_parallel``: how many runs at once; with 1 messages are worked on in order and nothing
      else touches ``self.state``; None: as many as there are workers, of coroutines any number.
    - ``on_error``: what a run that raises leads to.
    - ``timeout``: seconds after which a run has failed, None for no limit. A plain body that is
      stuck can't be ended; it is left to itself and another thread takes its place.
    """

    activation: Activation = AllSlots()
    max_parallel: int | None = 1
    on_error: ErrorPolicy = Stop()
    timeout: float | None = None
    failed = Event(Failure, doc="What became of an activation that raised.")

    Config: ClassVar[Any] = None
    State: ClassVar[Any] = None
    config: Any = None
    state: Any = None
    logic: Callable[..., Any]
    _run: RunBinding | None = None
    _sealed = False

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
        return self._run is not None and self._run.cancelled

    def checkpoint(self) -> None:
        """Raises Cancelled when the job has ended; may wait while it is held."""
        if self._run is not None:
            self._run.checkpoint()

    def sleep(self, seconds: float) -> None:
        """Wait that long; ends early, raising Cancelled, when the job ends."""
        if self._run is None:
            threading.Event().wait(seconds)
        else:
            self._run.sleep(seconds)

    def _refuse_when_sealed(self, name: str) -> None:
        if self._sealed:
            raise FlowError(
                f"{type(self).__name__}.{name}: a routine that is part of a flow serves many jobs"
                " and can't be changed; keep what belongs to a job in self.state"
            )


_config_types: WeakKeyDictionary[type[Routine], type[BaseModel]] = WeakKeyDictionary()


def seal(routine: Routine) -> None:
    """From now on setting an attribute of it raises."""
    routine.__dict__["_sealed"] = True


def bind(routine: Routine, emitters: Iterable[Named], run: RunBinding | None) -> Routine:
    """A sealed twin for one job: the same attributes, the job's emitters and its run binding.

    No ``__init__`` runs. `emitters` are named like their events; those that lack, `run` is asked
    for when a body uses them.
    """
    twin = object.__new__(type(routine))
    attributes = twin.__dict__
    attributes.update(routine.__dict__)
    for emitter in emitters:
        attributes[emitter.name] = emitter
    attributes["_run"] = run
    attributes["_sealed"] = True
    return twin


def set_state(routine: Routine, state: object) -> None:
    """Give a bound routine its job's state, seal or not."""
    object.__setattr__(routine, "state", state)


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
