from reconciler.model.plan import Action, Plan
from reconciler.render.style import PLAIN
from reconciler.render.text import plan
from tests.render.test_render_golden import BINDING, change


def test_thousands_have_a_comma() -> None:
    many = Plan(tuple(change(f"c{number}", Action.NO_OP) for number in range(5000)), BINDING, out_of_scope=1000)
    assert plan(many, "", PLAIN).endswith("\nNo changes. 5,000 resources are in step, 1,000 out of scope.\n")
