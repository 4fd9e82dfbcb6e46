"""What runs, where, and how it gets there."""
