"""The command line: arguments -> one pipeline call -> exit code. The only place that prints."""
