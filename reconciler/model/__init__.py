"""Values that pass between the phases: no I/O, no third-party imports, nothing that knows how it is printed or sent."""
