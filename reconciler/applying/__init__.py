"""A plan -> writes and their outcomes: one change at a time, verified and on the record; and back."""
