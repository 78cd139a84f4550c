"""A service -> which marketplace it is, and what it has."""
