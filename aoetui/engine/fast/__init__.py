"""The compiled data path's parts. Imported only where numba is there, and only by `fast_path.py` and by each other."""
