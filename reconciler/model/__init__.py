"""Values that pass between the phases: no I/O, no third-party imports, no rendering or sending."""
