"""What learns: activations, outputs with their costs, forward and backward pass, and the curvature of the cost.

Plain arrays in and out: nothing here knows of data sets by name, of Hydra or of MLflow.
"""
