"""Locale: a currency and a language for the parties that it is assigned to."""

from typing import Final

from reconciler.kinds.assignments import Assignments, levels
from reconciler.kinds.base import Kind
from reconciler.kinds.common import chosen_id, text
from reconciler.kinds.fields import Field, Text

LOCALE: Final = Kind(
    name="Locale",
    noun="locale",
    description="One locale: a currency and a language. The pair is unique.",
    path="/locales",
    source='API reference, "Locales"; error code Locale.DuplicateLanguageAndCurrency',
    since="1.0.220",
    table=(
        text("Currency", "The ISO code of the currency.", "USD", 100, required=True),
        text("Language", "The ISO code of the language. null: none.", "en-US", 100),
        chosen_id(),
        Field("OwnerID", Text(100), "Read-only: the marketplace of the locale.", read_only=True),
    ),
    name_field="Currency",
    unique=("Currency", "Language"),
    readers=("LocaleReader",),
    writers=("LocaleAdmin",),
    assignments=Assignments(
        levels("/locales/assignments", "LocaleID", "/locales/{LocaleID}/assignments", "buyers", "groups"),
        "The parties assigned to this locale, by level.",
        grants=False,
    ),
)
