"""An environment -> what a run needs of it."""
