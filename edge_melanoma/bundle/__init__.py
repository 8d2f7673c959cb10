"""The artefact: one .tflite that carries its manifest, labels and golden vectors."""

from edge_melanoma.bundle.golden import Golden, golden_of
from edge_melanoma.bundle.manifest import Manifest
from edge_melanoma.bundle.reading import Bundle, open_bundle, read_bundle
from edge_melanoma.bundle.writing import check_vacant, pack_bundle, write_bundle

__all__ = [
    "Bundle",
    "Golden",
    "Manifest",
    "check_vacant",
    "golden_of",
    "open_bundle",
    "pack_bundle",
    "read_bundle",
    "write_bundle",
]
