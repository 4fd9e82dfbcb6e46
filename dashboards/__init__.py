"""Boards as code: what a person looks at while the cluster runs, and the same over the window of a sealed run."""
