"""Where results are kept: what identifies a cell (`identity`), its record (`records`), the MLflow store (`store`).

Written through `writing`, or to disk by `unsent`; read through `reading`, and as frames through `loading`.
"""
