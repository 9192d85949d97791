"""`boardgate report`: one HTML page about a family beside its paper, about bundles on a split, or both, with everything
inside it. `export.report.page.report` writes it.

Nothing is imported here: a family's `paper.py` takes its records from `export.report.published`, and the page takes the
papers.
"""
