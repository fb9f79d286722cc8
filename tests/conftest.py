"""Hypothesis profiles: `ci` by default, the same examples every time; `deep` looks for new ones, longer; `mutation`."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

from tests.figures import pytest_terminal_summary as pytest_terminal_summary

PROFILE_VARIABLE = "CRDTSHADOW_HYPOTHESIS_PROFILE"

# No deadlines: how long an example takes says more about the machine than about the code.
PROFILES = {
    "ci": settings(deadline=None, derandomize=True, max_examples=100, stateful_step_count=30),
    # Many runs of the same tests, each on another mutant: a mutant that lives on is seldom found by more of the same.
    "mutation": settings(
        deadline=None,
        derandomize=True,
        max_examples=25,
        stateful_step_count=20,
        database=None,
        suppress_health_check=list(HealthCheck),
    ),
    "deep": settings(
        deadline=None,
        max_examples=2_000,
        stateful_step_count=80,
        print_blob=True,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    ),
}

for name, profile in PROFILES.items():
    settings.register_profile(name, profile)

chosen = os.environ.get(PROFILE_VARIABLE, "ci")
if chosen not in PROFILES:
    raise pytest.UsageError(f"{PROFILE_VARIABLE} is {chosen!r}; it may be one of: {', '.join(PROFILES)}")
settings.load_profile(chosen)
