"""One module for each command, with the click command as `command`. They are imported when they are called."""
