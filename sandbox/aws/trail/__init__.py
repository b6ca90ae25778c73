"""CloudTrail: what happened, as records, and the three ways on which they get out: LookupEvents, EventBridge, files.

A record is made when somebody reads it; each way has its own lateness, losses, duplicates and disorder. What must not
come in here: IAM's rules. Whether a call is recorded is up to whoever performs it.
"""
