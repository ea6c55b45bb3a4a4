"""What holds for all tests."""

from hypothesis import HealthCheck, settings

# No time limit for a single example: a busy machine is no reason to fail. Results are told by what is asserted.
settings.register_profile("harness", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("harness")
