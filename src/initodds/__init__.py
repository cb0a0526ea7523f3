"""How often does a network get stuck, given how its weights were drawn?"""

from initodds import blas

# Every way into the package passes here first, worker processes too, and NumPy may not be loaded yet.
blas.settle()
