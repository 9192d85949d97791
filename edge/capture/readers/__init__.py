"""Readers of what machines write: one file a format, pure parsers from bytes."""
