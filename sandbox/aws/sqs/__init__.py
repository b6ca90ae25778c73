"""SQS: standard queues with visibility timeouts, redelivery, dead-letter queues and long polling.

What must not come in here: where messages come from. The trail and S3's notifications use `Queues.send`.
"""
