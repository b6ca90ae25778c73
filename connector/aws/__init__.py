"""The only room that knows boto3: reads by facet, sends calls, says what an error means and how long to wait."""
