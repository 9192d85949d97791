"""Measurement-system analysis: is the judge itself fit to judge? Attribute agreement and variable gauge R&R.

Pure: studies in, figures out. Reading tables, running a station as an appraiser and drawing are the workshop's
business.
"""
