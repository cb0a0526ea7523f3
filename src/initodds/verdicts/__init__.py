"""What became of each network, why, in which words, and what to change: outcomes, symptoms, causes, the diagnosis made
of them, explanation and remedies; and what a start and simple theory say before any training.

Plain arrays and dataclasses in and out.
"""
