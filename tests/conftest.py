"""Hypothesis profiles: CI draws the same examples every time, so that a red run can be repeated. And no network."""

import os

from hypothesis import HealthCheck, settings

import tests.network  # noqa: F401  # from here on nothing leaves this machine

settings.register_profile("ci", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("dev", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("ci" if os.environ.get("CI") else "dev")
