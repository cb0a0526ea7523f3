"""What can be said of many networks: rates, comparisons, times, boundaries, and figures. Tidy frames in and out.

Knows pandas and the vocabulary, and nothing of how the networks were trained or kept.
"""
