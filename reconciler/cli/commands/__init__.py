"""One module per command, with the click command as `command`, imported when it is called."""
