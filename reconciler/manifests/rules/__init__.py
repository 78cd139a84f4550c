"""One manifest -> what is unwise or cannot work in it, although it fits its schema. Pure.

stated     what the manifest says of each field, and what it leaves open
rule       what a rule is: name, reason, source, default level
api_client and its like: the rules of a kind, one function for each
table      all rules, and those to ask of a manifest

Rules look at nothing but the manifest. What it leaves open (a field that it does not name, unless it is exclusive) may
be anything in the service, so what a rule builds on that is marked as uncertain. How strictly a rule is taken, and
whether a finding is waived, is the loader's business, and that of `creation` for clients that are not there yet.
"""

from reconciler.manifests.rules.rule import Level, Objection, Rule
from reconciler.manifests.rules.stated import Stated
from reconciler.manifests.rules.table import RULES, objections, objections_if_new, rules_of

__all__ = ["RULES", "Level", "Objection", "Rule", "Stated", "objections", "objections_if_new", "rules_of"]
