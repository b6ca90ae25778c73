"""The real clock. Everything that needs time takes it as an argument; this is what production hands in."""

import time
from datetime import UTC, datetime


class SystemClock:
    """Wall time in UTC and the monotonic clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()
