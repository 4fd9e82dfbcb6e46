"""The cluster as real processes on this machine.

A supervisor of its own starts them, bounds their CPU, restarts what dies, and removes every trace at the end.
"""
