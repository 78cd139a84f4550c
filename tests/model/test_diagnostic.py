from reconciler.model.diagnostic import Diagnostic, Place


def test_a_diagnostic_reads_as_place_message_and_way_out() -> None:
    fault = Diagnostic(Place("a.yaml", 3, 5), "unknown field", "unknown-field", "/spec/Actve", "did you mean Active?")
    assert str(fault) == "a.yaml:3:5: error: unknown field (at /spec/Actve); did you mean Active? [unknown-field]"
    assert str(Place("a.yaml")) == "a.yaml"
