"""`predict`: from what a person names (files, folders, patterns, standard input) to a stream of decisions."""

from edge_melanoma.prediction.given import Given, find_pictures
from edge_melanoma.prediction.run import Answer, run

__all__ = ["Answer", "Given", "find_pictures", "run"]
