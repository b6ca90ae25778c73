"""Sentences for a reply's notes that more than one operation has."""

SESSIONS_LIVE_ON = "Sessions of roles that the user has already assumed live on until they expire."
FOREIGN_DENY_STAYS = "AWSDenyAll, which somebody else attached, stays: the user is shut out until it is detached."
