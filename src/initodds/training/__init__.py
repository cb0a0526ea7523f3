"""The loop: an engine, a data set and a data order in, a `History` of checkpoints out.

See `initodds.training.loop`.
"""
