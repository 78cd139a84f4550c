"""Desired and live state -> a plan: differences, selection, guards, drift; and the file that keeps it."""
