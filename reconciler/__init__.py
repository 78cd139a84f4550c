"""API clients of Sitecore OrderCloud, declared in YAML, kept true."""

__version__ = "0.1.0"
