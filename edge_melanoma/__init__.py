"""edge-melanoma: from dermoscopy pictures to a verified model on a phone or a Raspberry Pi.

Importing this package imports nothing heavy: TensorFlow stands behind backend.py, tables and plots behind their verbs.
"""

__version__ = "0.1.0"
