"""What the operator has decided for every request: values from the settings, for the pure plans to look at."""

from dataclasses import dataclass

from .schema import Schema


@dataclass(frozen=True, slots=True)
class Rules:
    """The same for every request of a worker."""

    programmatic_access: bool = False
    """ENABLE brings back access keys and the like too, not only the console (the guide's enableProgrammaticAccess)."""
    account_schema: Schema | None = None
    """Which attributes an account has; None: any."""
    path_prefix: str = "/"
    """New users are made under it, and no other path is taken."""


NO_RULES = Rules()
"""As a connector without further settings has them."""
