"""Is this picture fit to be judged at all? Asked before the model sees it, on every device alike.

    measures = measure(tensor, contract, facts.upright_size)
    for reason in gate.reasons(measures):
        print(reason.words)

In this package:

    measures.py  what is counted, in whole numbers
    limits.py    a limit for each measure, and the words for it
    gate.py      what a bundle carries
    fit.py       the limits from training pictures
"""

from edge_melanoma.capture.gate import CaptureGate, Reason
from edge_melanoma.capture.limits import CaptureLimits
from edge_melanoma.capture.measures import CaptureMeasures, measure

__all__ = ["CaptureGate", "CaptureLimits", "CaptureMeasures", "Reason", "measure"]
