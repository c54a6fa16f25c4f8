"""Snapshots and the way back, against a real Postgres."""
