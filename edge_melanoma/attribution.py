"""Who made a data set, in one line: what its licence asks to be named, and a paper to cite. No dependency."""

from __future__ import annotations

_HAM10000 = "Tschandl, Rosendahl, Kittler, Sci Data 5:180161 (2018), doi:10.1038/sdata.2018.161"
_ISIC_CHALLENGES = "ISIC Archive (isic-archive.com)"

# by the name of the source that reads it; those that are anybody's own are not here
MADE_BY = {
    "ham10000": _HAM10000,
    "isic2018": f"{_HAM10000}; {_ISIC_CHALLENGES}, Codella et al., arXiv:1902.03368",
    "isic2019": f"{_HAM10000}; Combalia et al. (BCN20000), arXiv:1908.02288; {_ISIC_CHALLENGES}, Codella et al., "
    "arXiv:1710.05006",
    "isic2020": f"{_ISIC_CHALLENGES}, Rotemberg et al., Sci Data 8:34 (2021), doi:10.1038/s41597-021-00815-z",
    "isic2024": f"{_ISIC_CHALLENGES}, Kurtansky et al., Sci Data 11 (2024), doi:10.1038/s41597-024-03743-w",
    "isic9": _ISIC_CHALLENGES,
    "ph2": "Mendonça et al., EMBC 2013, doi:10.1109/EMBC.2013.6610779",
    "pad-ufes-20": "Pacheco et al., Data in Brief 32:106221 (2020), doi:10.1016/j.dib.2020.106221",
    "dermamnist": f"{_HAM10000}; Yang et al. (MedMNIST v2), Sci Data 10:41 (2023), doi:10.1038/s41597-022-01721-8",
}
