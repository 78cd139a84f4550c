"""Tests of `reconciler.remote`: real code above a transport, a server in one function below it."""
