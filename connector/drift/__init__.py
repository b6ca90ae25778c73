"""PURE: what was last known of a user and what is read now become a change. No I/O, no clock."""
