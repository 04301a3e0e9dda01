from __future__ import annotations

import gc
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from helpers.flows import burst, flow_of, pair, pass_on, routine, source
from penstock import (
    Activation,
    AllSlots,
    AnySlot,
    Batch,
    Every,
    Flow,
    FlowError,
    Latest,
    Retry,
    Routine,
    Slot,
)
from penstock.run.matching import AnyOf, Batches, Custom, InOrder, KeyedQueues, Rule
from penstock.run.routing import Plans, RoutinePlan, compile_flow


def finishing() -> Any:
    def logic(self: Any, value: Any) -> None: ...

    def finish(self: Any) -> None: ...

    return routine(logic, slots={"value": Slot(object)}, finish=finish)


def test_targets_are_in_the_order_of_the_connections() -> None:
    plan = compile_flow(
        flow_of(
            {"s": burst([1]), "x": pass_on(), "p": pair()},
            "s.out -> p.right",
            "s.out -> x.value",
            "x.failed -> p.left",
        )
    )

    source_plan, x_plan, _ = plan.routines
    assert [event.ref for event in source_plan.events] == ["s.out", "s.failed"]
    assert source_plan.targets == (((2, 1), (1, 0)), ())
    assert x_plan.targets == ((), ((2, 0),))


def test_the_plan_does_not_see_later_edits() -> None:
    flow = flow_of({"s": source([1]), "x": pass_on()}, "s.out -> x.value")
    plan = compile_flow(flow)
    flow.disconnect("s.out", "x.value")
    flow.remove("x")

    assert [row.id for row in plan.routines] == ["s", "x"]
    assert plan.routines[0].targets[0] == ((1, 0),)


def test_a_diamond_finishes_from_its_top_to_its_bottom() -> None:
    plan = compile_flow(
        flow_of(
            {"d": finishing(), "c": finishing(), "b": finishing(), "a": finishing()},
            "a.out -> b.value",
            "a.out -> c.value",
            "b.out -> d.value",
            "c.out -> d.value",
        )
    )
    order = [plan.routines[i].id for i in plan.finish_order]

    assert order[0] == "a"
    assert order[-1] == "d"


def test_a_cycle_finishes_in_the_order_of_add_between_what_is_before_and_behind() -> None:
    plan = compile_flow(
        flow_of(
            {"z": finishing(), "n": finishing(), "m": finishing(), "a": finishing()},
            "a.out -> m.value",
            "m.out -> n.value",
            "n.out -> m.value",
            "n.out -> z.value",
        )
    )

    assert [plan.routines[i].id for i in plan.finish_order] == ["a", "n", "m", "z"]


def test_a_long_chain_compiles_without_recursion() -> None:
    many = 1200
    parts = {f"r{n}": finishing() for n in range(2)} | {f"p{n}": pass_on() for n in range(many)}
    links = [f"p{n}.out -> p{n + 1}.value" for n in range(many - 1)]
    flow = flow_of(parts, "r0.out -> p0.value", f"p{many - 1}.out -> r1.value", *links)

    assert compile_flow(flow).finish_order == (0, 1)


class Own(AnySlot):
    """A rule of one's own, though derived from one of ours."""

    def take(self, queues: Mapping[str, Sequence[Any]]) -> Any:
        return None


def joined(activation: Activation, **attributes: Any) -> Routine:
    """Two slots that needn't be passed."""

    def logic(self: Any, left: Any = None, right: Any = None) -> None: ...

    slots = {"left": Slot(object), "right": Slot(object)}
    return routine(logic, slots=slots, activation=activation, **attributes)


def alone(activation: Activation, **attributes: Any) -> Routine:
    """One slot."""
    return pass_on(activation=activation, **attributes)


def row(made: Routine) -> RoutinePlan:
    return compile_flow(flow_of({"a": made})).routines[0]


@pytest.mark.parametrize(
    ("activation", "rule"),
    [
        (AllSlots(), InOrder),
        (AllSlots(match="k"), KeyedQueues),
        (AnySlot(), AnyOf),
        (Every(1), InOrder),
        (Own(), Custom),
    ],
)
def test_the_rule_of_a_join_is_made_anew_for_each_job(
    activation: Activation, rule: type[Rule]
) -> None:
    make = row(joined(activation)).make_rule

    assert make is not None
    assert type(make()) is rule
    assert make() is not make()


def test_a_match_is_compiled_to_its_key_function() -> None:
    make = row(pair(activation=AllSlots(match="k"))).make_rule

    assert make is not None
    rule = make()
    assert rule.add(0, (1, {"k": 7})) == ()
    assert rule.add(1, (2, {"k": 8})) == ()
    assert rule.add(1, (3, {"k": 7})) == (((1, {"k": 7}), (3, {"k": 7})),)


@pytest.mark.parametrize(
    ("activation", "rule"), [(AllSlots(), None), (Batch(2), Batches), (Own(), Custom)]
)
def test_with_one_slot_its_messages_are_the_activations_unless_the_rule_takes_several(
    activation: Activation, rule: type[Rule] | None
) -> None:
    plan = row(alone(activation))

    made = plan.make_rule() if plan.make_rule is not None else None
    assert (None if made is None else type(made)) is rule
    assert plan.is_single is (rule is None)


@pytest.mark.parametrize(
    ("activation", "single", "uniform", "one_by_one"),
    [
        (AllSlots(), True, True, False),
        (AnySlot(), True, True, False),
        (Latest(), True, True, True),
        (Every(1), True, True, True),
        (Batch(2), False, False, False),
        (Own(), False, False, True),
    ],
)
def test_what_a_rule_means_for_a_routine_with_one_slot(
    activation: Activation, single: bool, uniform: bool, one_by_one: bool
) -> None:
    plan = row(alone(activation))

    assert (plan.is_single, plan.is_uniform, plan.one_by_one) == (single, uniform, one_by_one)
    assert plan.takes_latest is isinstance(activation, Latest)


@pytest.mark.parametrize(
    ("activation", "uniform"),
    [(AllSlots(), True), (AllSlots("k"), True), (Every(1), True), (AnySlot(), False)],
)
def test_a_join_is_uniform_when_each_activation_takes_one_of_each_slot(
    activation: Activation, uniform: bool
) -> None:
    plan = row(joined(activation))

    assert (plan.is_single, plan.is_uniform) == (False, uniform)


def test_a_source_has_no_rule_of_forming() -> None:
    for activation in (AllSlots(), Every(1, times=3)):
        plan = row(burst([1], activation=activation))
        assert (plan.is_source, plan.make_rule) == (True, None)


@pytest.mark.parametrize(
    ("attributes", "kept_back", "careful"),
    [
        ({}, False, False),
        ({"timeout": 1.0}, False, True),
        ({"on_error": Retry()}, True, True),
    ],
)
def test_emitters_are_careful_where_attempts_are_kept_apart(
    attributes: dict[str, Any], kept_back: bool, careful: bool
) -> None:
    plan = row(pass_on(**attributes))

    assert (plan.keeps_back, plan.is_careful, plan.is_plain) == (kept_back, careful, not careful)


def test_only_a_batch_or_a_finish_has_a_last_turn() -> None:
    flow = flow_of({"a": pass_on(), "b": alone(Batch(2)), "c": finishing(), "d": source([1])})
    plan = compile_flow(flow)

    assert [plan.routines[i].id for i in plan.finish_order] == ["b", "c"]
    assert [one.may_stand for one in plan.routines] == [False, False, True, True]


def test_an_event_that_goes_to_a_slot_that_fails_is_marked() -> None:
    narrow = routine(
        lambda self, value: None, slots={"value": Slot(object, overflow="fail")}, events=()
    )
    plan = compile_flow(flow_of({"s": burst([1]), "n": narrow}, "s.out -> n.value"))

    assert [event.refuses for event in plan.routines[0].events] == [True, False]


def test_a_rule_that_can_not_work_for_its_routine_is_refused() -> None:
    with pytest.raises(FlowError, match=r"^p: activation Batch needs exactly one slot") as caught:
        compile_flow(flow_of({"p": pair(activation=Batch(2))}))

    assert caught.value.routine == "p"


# ---- plans that are kept


def test_the_plan_of_an_unchanged_flow_is_kept() -> None:
    plans, flow = Plans(), flow_of({"s": burst([1]), "x": pass_on()})
    assert plans.of(flow) is None
    plan = compile_flow(flow)

    plans.keep(flow, plan)

    assert plans.of(flow) is plan
    assert plans.of(flow_of({"s": burst([1])})) is None


def _connect(flow: Flow) -> None:
    flow.connect("s.out", "x.value")


def _add(flow: Flow) -> None:
    flow.add("y", pass_on())


def _rename(flow: Flow) -> None:
    flow.rename("x", "z")


def _replace(flow: Flow) -> None:
    flow.remove("x")
    flow.add("x", pass_on())


def _name(flow: Flow) -> None:
    flow.name = "another"


def _set(name: str, value: Any) -> Callable[[Flow], None]:
    return lambda flow: setattr(type(flow.routines["x"]), name, value)


@pytest.mark.parametrize(
    "change",
    [
        _connect,
        _add,
        _rename,
        _replace,
        _name,
        _set("max_parallel", 3),
        _set("on_error", Retry()),
        _set("timeout", 3.0),
        _set("activation", Latest()),
    ],
)
def test_a_change_of_the_flow_or_of_a_setting_makes_the_plan_anew(
    change: Callable[[Flow], None],
) -> None:
    plans, flow = Plans(), flow_of({"s": burst([1]), "x": pass_on()})
    plans.keep(flow, compile_flow(flow))

    change(flow)

    assert plans.of(flow) is None


def test_the_plan_of_a_flow_that_was_loaded_is_not_kept() -> None:
    """Its routines are made anew for each job."""
    plans, flow = Plans(), flow_of({"s": burst([1])})
    plan = compile_flow(flow)
    flow.add("x", flow.spec("s"))

    plans.keep(flow, plan)

    assert plans.of(flow) is None


def test_a_flow_that_nobody_has_any_more_takes_its_plan_along() -> None:
    plans, flow = Plans(), flow_of({"s": burst([1])})
    plans.keep(flow, compile_flow(flow))

    del flow
    gc.collect()

    assert not plans._known
