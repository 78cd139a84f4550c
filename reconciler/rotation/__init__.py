"""A named secret x the live ones -> the steps that are due (`due`), and their execution (`run`)."""

from reconciler.rotation.due import Subject, due
from reconciler.rotation.recall import recall
from reconciler.rotation.run import Done, Record, Tools, carry_out

__all__ = ["Done", "Record", "Subject", "Tools", "carry_out", "due", "recall"]
