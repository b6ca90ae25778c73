"""PURE: a request and a reading of the user become a plan. No I/O, no clock, no chance; nothing is sent from here."""
