"""`ipex.amp`: the precision policy of automatic mixed precision (`ipex.AutoMixPrecision`)."""

from .policy import policy, reset_policy, set_policy

__all__ = ["policy", "reset_policy", "set_policy"]
