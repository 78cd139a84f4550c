"""YAML -> desired state: parsing with places, schema, rules, overlays, substitution; and editing YAML in place."""
