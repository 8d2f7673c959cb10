"""Measurements that need no TensorFlow, each a command of its own; what they measured is committed in results/.

Run: python -m edge_melanoma.benchmarks.NAME
"""
