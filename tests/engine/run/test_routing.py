from __future__ import annotations

from typing import Any

from helpers.flows import burst, flow_of, pair, pass_on, routine, source
from penstock import AllSlots, Slot
from penstock.run.routing import compile_flow


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
    assert source_plan.events == ("out", "failed")
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


def test_a_match_is_compiled_to_its_key_function() -> None:
    plan = compile_flow(flow_of({"p": pair(activation=AllSlots(match="k")), "q": pair()}))

    key = plan.routines[0].key
    assert key is not None
    assert key({"k": 7}) == 7
    assert plan.routines[1].key is None
