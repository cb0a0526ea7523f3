"""One setting: its typed schema, the objects that it names, and running it.

See `initodds.cells.settings`, `config`, `objects`, `subject` and `cell`.
"""
