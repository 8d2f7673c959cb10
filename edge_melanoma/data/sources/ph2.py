"""PH2: 200 dermoscopic pictures from one camera in Porto (80 common nevi, 80 atypical nevi, 40 melanomas)."""

from __future__ import annotations

import re
from pathlib import Path

import polars as pl

from edge_melanoma.data.sources import Listing, Request, Source
from edge_melanoma.data.sources.reading import ROW, Rows, index_table
from edge_melanoma.data.sources.tree import Tree, find_table, level, locate, look_for, read_tree
from edge_melanoma.errors import DataError

TABLE = "PH2_dataset.txt"
SHEET = "PH2_dataset.xlsx"
COLUMNS = ("Name", "Histological Diagnosis", "Clinical Diagnosis")
FOLDER = "PH2 Dataset images"
COUNTS = {"0": 80, "1": 80, "2": 40}


def read(request: Request) -> Listing:
    """Read the table and the nested folders of its pictures."""
    tree = read_tree(request)
    if not look_for(tree, [TABLE]) and (sheet := look_for(tree, [SHEET])):
        raise DataError(f"{request.root / sheet}: spreadsheets are not read; put {TABLE} of the same archive beside it")
    at = find_table(tree, [TABLE], SOURCE)
    rows = read_bars(request.root / at)
    names, diagnosis, histology = (rows.text(name) for name in ("Name", "Clinical Diagnosis", "Histological Diagnosis"))
    rows.refuse(~names.str.contains(r"^IMD\d+$").fill_null(False), "Name", "is no picture of PH2 (IMD and a number)")
    table = index_table(
        rows.frame,
        SOURCE,
        image_id=names,
        modality=pl.lit("dermoscopic"),
        dx_raw=diagnosis,
        dx_confirm=pl.when(histology.is_not_null()).then(pl.lit("histo")).otherwise(pl.lit("clinical")),
    )
    located = locate(table, tree, _folders(tree), request, suffixes=(".bmp",))
    return Listing(
        table=located.table,
        tables=(rows.file,),
        orphans=located.orphans,
        looked_in=(f"{FOLDER}/IMD*/IMD*_Dermoscopic_Image",),
        published_counts=COUNTS,
        remarks=located.remarks,
    )


def _folders(tree: Tree) -> list[str]:
    """Beside each picture's own folder lie the folders of its masks."""
    return [folder for folder in tree.folders if level(folder) and re.search(r"/?IMD\d+_Dermoscopic_Image$", folder)]


def read_bars(file: Path) -> Rows:
    """The lines that begin with "||": a header, then a row a picture; what stands around them is legend."""
    try:
        lines = file.read_text(encoding="utf-8-sig", errors="replace").splitlines()
    except OSError as error:
        raise DataError(f"{file}: cannot be read ({error.strerror or error})") from error
    cells = {
        number: [cell.strip() for cell in line.strip().strip("|").split("||")]
        for number, line in enumerate(lines, start=1)
        if line.lstrip().startswith("||") and re.search(r"\w", line)
    }
    first = next(iter(cells), 0)
    header = cells.pop(first, [])
    if tuple(header[: len(COLUMNS)]) != COLUMNS:
        raise DataError(f"{file}: has no header || {' || '.join(COLUMNS)} ||; it is the table of PH2 as published")
    short = next((number for number, row in cells.items() if len(row) != len(header)), None)
    if short:
        raise DataError(f"{file}, row {short}: has {len(cells[short])} fields between ||, the header has {len(header)}")
    if not cells:
        raise DataError(f"{file}: has a header and no rows; download it again")
    columns = {name: [row[index] for row in cells.values()] for index, name in enumerate(COLUMNS)}
    return Rows(file=file, frame=pl.DataFrame({ROW: list(cells), **columns}))


SOURCE = Source(
    name="ph2",
    title="PH2",
    license="research and education only",
    layout="""
        PH2_dataset.txt
        PH2 Dataset images/IMD003/IMD003_Dermoscopic_Image/IMD003.bmp
    """,
    vocabulary="ph2",
    read=read,
)
