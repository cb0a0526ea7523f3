"""Where results are kept: the MLflow store, what identifies a cell, its records, written and read back.

Written through `initodds.tracking.cell_runs`, read through `initodds.tracking.loading`.
"""
