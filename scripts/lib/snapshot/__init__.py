"""Snapshots of Redis in Postgres, and the way back. The only code here that knows Postgres."""
