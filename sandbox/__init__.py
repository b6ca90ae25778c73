"""A whole world on one machine, for the demo, the tests and the benches. Production never imports it."""
