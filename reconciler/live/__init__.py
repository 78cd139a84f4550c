"""A service -> what it has; and files that keep it."""
