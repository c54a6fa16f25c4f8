"""One file per endpoint, named for what it serves."""
