"""Many settings: the plan of a sweep, its jobs, their progress, and the table that it ends with.

Hydra's side of it is `hydra_plugins.initodds_sweeper`.
"""
