"""The console, driven by keys and looked at as pictures."""
