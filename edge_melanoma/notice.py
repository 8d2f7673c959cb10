"""The two sentences that travel with every output: what this software is not, and that synthetic means synthetic."""

from __future__ import annotations

NOTICE = (
    "Research and education software. Not a medical device. Not for diagnosis, screening or treatment decisions. "
    "A 'low' output never rules out melanoma. See a clinician for any new, changing or worrying lesion."
)

SYNTHETIC_BANNER = "SYNTHETIC — no clinical meaning"
