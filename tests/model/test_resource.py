from reconciler.model.resource import ObjectKey


def test_a_key_knows_its_kind_and_not_the_case_of_its_id() -> None:
    assert ObjectKey("ApiClient", "a-1") == ObjectKey("ApiClient", "A-1") != ObjectKey("IntegrationEvent", "A-1")
