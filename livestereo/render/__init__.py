"""Arrays in, BGR pictures out; pure."""
