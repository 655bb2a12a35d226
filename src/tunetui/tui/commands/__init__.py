"""Everything that a user can do, one class each."""
