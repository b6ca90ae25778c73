"""One ownership of one partition: from an assignment to its revocation, with the lease that covers AWS calls."""

import itertools
import time
from collections.abc import Callable

_numbers = itertools.count(1)


class Epoch:
    """A partition in the hands of this worker.

    The lease is the send time, on the monotonic clock, of the last offset commit that the group coordinator
    accepted in this epoch. A worker that was frozen past its session finds it expired when it thaws, and calls
    nobody: by then the partition has another owner.

    `may_call` is asked from worker threads; reading two attributes is atomic under the GIL.
    """

    def __init__(self, partition: int, lease_s: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.partition = partition
        self.number = next(_numbers)
        self.assigned_at = monotonic()
        self._lease_s = lease_s
        self._monotonic = monotonic
        self._renewed_at: float | None = None
        self._revoked = False

    def is_over(self) -> bool:
        """Whether the partition was taken away or opened anew."""
        return self._revoked

    def revoke(self) -> None:
        """No call begins from now on."""
        self._revoked = True

    def renew(self, sent_at: float) -> None:
        """The coordinator accepted a commit that was sent at `sent_at` (monotonic seconds)."""
        if not self._revoked and (self._renewed_at is None or sent_at > self._renewed_at):
            self._renewed_at = sent_at

    def may_call(self) -> bool:
        """Whether a call to the outside may begin now."""
        renewed_at = self._renewed_at
        return not self._revoked and renewed_at is not None and self._monotonic() - renewed_at < self._lease_s

    def __repr__(self) -> str:
        return f"Epoch({self.partition}, #{self.number}{', over' if self._revoked else ''})"
