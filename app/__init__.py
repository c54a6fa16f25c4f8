"""Portcullis: an OAuth 2.0 authorization server that is also nginx's decision point."""

__version__ = "0.1.0"
