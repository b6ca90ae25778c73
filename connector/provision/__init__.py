"""Provisioning: the shell around the pure plans. Read, plan, execute; nothing else is decided here.

`begin` a life of a request, then `advance` it until it is Finished; blocking, so each advance belongs in a thread.
"""

from connector.model.iam import AccountRecord
from connector.model.requests import Request
from connector.model.results import Intent

from .life import Life
from .means import Means
from .second_look import to_second_look

__all__ = ["Life", "Means", "Provisioning"]


class Provisioning:
    """Begins the lives of requests."""

    def __init__(self, means: Means) -> None:
        self._means = means

    def begin(self, request: Request, last_known: AccountRecord | None, intent: Intent | None) -> Life:
        """A life of a request.

        `last_known`: what the accounts topic holds of the user. `intent`: what an earlier life announced, when it
        was not finished. Nothing is called before the first `advance`.
        """
        return Life(self._means, request, last_known, intent)

    @staticmethod
    def second_look(last_known: AccountRecord | None) -> Request | None:
        """The request that looks again at a user that was disabled; None where a reading is all that is due."""
        return to_second_look(last_known)
