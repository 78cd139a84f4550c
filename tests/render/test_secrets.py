"""How secrets stand, in words."""

import json
from datetime import UTC, datetime, timedelta

from reconciler.model.named_secret import LiveSecret, SecretState, Standing, new_id
from reconciler.model.reports import SecretReport, SecretRow, Sort
from reconciler.model.resource import Address
from reconciler.render.secrets import status_document, status_text
from reconciler.render.style import PLAIN

NOW = datetime(2026, 11, 1, tzinfo=UTC)


def test_the_age_of_a_secret_is_never_negative_where_the_service_s_clock_is_ahead() -> None:
    live = LiveSecret(new_id("primary", (), NOW + timedelta(hours=2), "9f3c"), "primary")
    state = SecretState("primary", Standing.IN_STEP, live)
    row = SecretRow(Address("ApiClient", "a"), "ID", Sort.NAMED, state)
    report = SecretReport("test", "shop", NOW, (row,))
    assert " 0 d\n" in status_text(report, PLAIN)
    assert "-1 d" not in status_text(report, PLAIN)
    assert json.loads(status_document(report, PLAIN))["secrets"][0]["age_days"] == 0
