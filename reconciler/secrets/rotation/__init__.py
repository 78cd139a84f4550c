"""A named secret x the live ones -> the steps that are due (`due`), and their execution (`run`)."""

from reconciler.secrets.delivery import lost, recall
from reconciler.secrets.rotation.due import Subject, due
from reconciler.secrets.rotation.run import Done, Record, Tools, carry_out

__all__ = ["Done", "Record", "Subject", "Tools", "carry_out", "due", "lost", "recall"]
