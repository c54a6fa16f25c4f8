"""What scripts/doctor looks for, and how. Standard library only: it runs where nginx runs."""
