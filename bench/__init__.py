"""What is measured, side by side with what a user would take instead. `python -m bench` lists it."""
