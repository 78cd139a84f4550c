"""What the ids of named secrets say of their age and order."""

from datetime import UTC, datetime, timedelta

from reconciler.model.named_secret import LiveSecret, NamedSecret, Standing, family, new_id, standing_of
from tests.secrets.test_rotation import START


def live(name: str, stamp: str | None = None, expires: datetime | None = None) -> LiveSecret:
    return LiveSecret(f"primary-{stamp}-0a1b2c" if stamp else f"portal-{name}", name, expires)


def test_ids_tell_the_age_and_never_stand_still() -> None:
    first = new_id("my key", [], START, "0a1b2c")
    second = new_id("my key", [LiveSecret(first, "my key")], START, "0a1b2c")
    assert (first, second) == ("my-key-20270131T120000Z-0a1b2c", "my-key-20270131T120001Z-0a1b2c")
    assert LiveSecret(second, "x").made_at == START + timedelta(seconds=1)
    assert LiveSecret("portal", "x").made_at is None
    assert LiveSecret("x-20279999T999999Z-0a", "x").made_at is None


def test_secrets_at_the_end_of_the_calendar_are_judged_and_followed_by_others() -> None:
    never = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
    wanted = NamedSecret("primary", never, None, timedelta(days=2))
    yearly = NamedSecret("primary", None, timedelta(days=365))
    assert standing_of(wanted, live("primary", expires=never), START) is Standing.IN_STEP
    assert standing_of(yearly, live("primary", expires=never), never) is Standing.EXPIRED
    assert new_id("a", [live("a", "99991231T235959Z")], START, "0").startswith("a-99991231T235959Z")
    assert yearly.expiry(never) == datetime.max.replace(tzinfo=UTC)


def test_the_newest_of_one_name_is_the_current_one_and_ours_are_newer_than_others() -> None:
    old, new = live("primary", "20270101T000000Z"), live("primary", "20270102T000000Z")
    portal = live("primary")
    found = family("primary", [old, portal, new])
    assert (found.current, found.superseded) == (new, (old, portal))


def test_an_unproven_secret_that_is_older_than_a_proven_one_is_superseded() -> None:
    current, untried = live("primary", "20270102T000000Z"), live("primary.untried", "20270102T000000Z")
    older, newer = live("primary.unproven", "20270101T000000Z"), live("primary.unproven", "20270103T000000Z")
    found = family("primary", [current, older, newer, live("other")])
    assert (found.pending, found.superseded, len(found.members)) == ((newer,), (older,), 3)
    assert family("primary", [untried, older, newer]).pending == (newer, older)


def test_a_rotation_is_unfinished_while_something_newer_than_the_proven_secret_is_left() -> None:
    current = live("primary", "20270102T000000Z")
    older, newer = live("primary.undelivered", "20270101T000000Z"), live("primary.undelivered", "20270103T000000Z")
    assert not family("primary", [current, older]).is_unfinished
    assert family("primary", [current, newer]).is_unfinished
