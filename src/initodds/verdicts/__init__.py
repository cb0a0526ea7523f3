"""What became of each network, why, and in which words: outcomes, diagnosis, escapes, explanation.

Plain arrays and dataclasses in and out.
"""
