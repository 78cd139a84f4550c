"""Scripts that are run while the program is developed, and are no part of it."""
