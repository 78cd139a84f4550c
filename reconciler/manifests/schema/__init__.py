"""Data x JSON Schema -> faults in plain words, each with the JSON pointer of what is wrong.

Two libraries share the work. jsonschema-rs says within microseconds that nothing is wrong; jsonschema, a hundred times
slower, is imported and asked only for what is wrong. A property test keeps the two in agreement.

The schemas are written for editors, too. These things in them mean nothing to a document that is being loaded:

- a choice of ``#/$defs/fromValues`` or ``#/$defs/manifestReference``: the ``${values.KEY}`` and the ``{ref: NAME}``
  that an editor accepts have been replaced by then;
- an ``enum`` beside ``x-open``: the known names of a list that grows elsewhere, which the loader judges;
- ``x-unit`` and ``x-pattern``: words for messages; ``x-source``: where OrderCloud documents a field.
"""

from reconciler.manifests.schema.fault import Fault
from reconciler.manifests.schema.references import hushed, secret_reference, without_tails
from reconciler.manifests.schema.schemas import Validator, part_validator, read_schema, schema_path, validator
from reconciler.manifests.schema.suggest import closest, did_you_mean

__all__ = [
    "Fault",
    "Validator",
    "closest",
    "did_you_mean",
    "hushed",
    "part_validator",
    "read_schema",
    "schema_path",
    "secret_reference",
    "validator",
    "without_tails",
]
