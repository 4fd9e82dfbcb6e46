"""Each part of the installation: how to see whether it is there, and how to bring it about.

Standard library only. These modules run on a machine that has nothing but Python, before the environment exists.
"""
