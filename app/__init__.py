"""Portcullis: an OAuth 2.0 authorization server that is also nginx's decision point."""
