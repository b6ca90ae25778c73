"""What the operator has decided for every request: values from the settings, for the pure plans to look at."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rules:
    """The same for every request of a worker."""

    programmatic_access: bool = False
    """ENABLE brings back access keys and the like too, not only the console (the guide's enableProgrammaticAccess)."""


NO_RULES = Rules()
"""As a connector without further settings has them."""
