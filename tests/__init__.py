"""The tests: what a user can rely on."""
