"""The station: captures, scores, judges, records and signals. Never imports torch or `export/`."""

__version__ = "0.1.0"
