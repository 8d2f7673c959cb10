"""Tables as they are published: comma-separated, every value checked, every complaint with its file and row.

Row 1 is the header, as a spreadsheet counts. Extra columns are welcome, absent ones are named.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import polars as pl

from edge_melanoma.data.sites import site_group
from edge_melanoma.data.sources import Request, Source
from edge_melanoma.errors import DataError, RecipeError
from edge_melanoma.labels import known_labels

UNKNOWN = ("", "unknown", "unk", "nan", "na", "n/a", "none", "null")  # in lower case
ROW = "row of the file"
_HEADER_BYTES = 1 << 20
_SEXES = {"female": "female", "f": "female", "male": "male", "m": "male"}
_YEARS = (0, 120)
MODALITIES = ("dermoscopic", "clinical", "tbp", "synthetic")


@dataclass(frozen=True, kw_only=True)
class Rows:
    """The rows of a file, all text, with the number of each row."""

    file: Path
    frame: pl.DataFrame

    def text(self, column: str) -> pl.Expr:
        """As written, less blanks around it; null where nothing is written."""
        stripped = pl.col(column).str.strip_chars()
        return pl.when(stripped != "").then(stripped)

    def known(self, column: str) -> pl.Expr:
        """As text, and null too where the word says that it is not known."""
        return pl.when(~pl.col(column).str.strip_chars().str.to_lowercase().is_in(UNKNOWN)).then(self.text(column))

    def id(self, column: str) -> pl.Expr:
        """As text, in every row."""
        self.refuse(self.text(column).is_null(), column, "is empty; every row needs one")
        return self.text(column)

    def word(self, column: str) -> pl.Expr:
        """As known, in lower case."""
        return self.known(column).str.to_lowercase()

    def number(self, column: str, lowest: float, highest: float, *, whole: bool = False) -> pl.Expr:
        """A number within these bounds, or null."""
        text = self.frame[column].str.strip_chars()
        value = text.cast(pl.Float64, strict=False).fill_nan(None)
        unread = value.is_null() & text.is_not_null()
        if unread.any():  # costly on 400,000 rows, and most tables leave unknown numbers out
            unread &= ~text.str.to_lowercase().is_in(UNKNOWN)
        wrong = unread | ~value.is_between(lowest, highest).fill_null(True)
        if whole:
            wrong |= (value != value.round()).fill_null(False)
        self.refuse(wrong, column, f"is not a {'whole ' if whole else ''}number from {lowest:g} to {highest:g}")
        return pl.lit(value)

    def age(self, column: str) -> pl.Expr:
        """Years, or null."""
        return self.number(column, *_YEARS)

    def sex(self, column: str) -> pl.Expr:
        """`female`, `male` or null."""
        value = self.word(column).replace_strict(_SEXES, default=None, return_dtype=pl.String)
        self.refuse(self.known(column).is_not_null() & value.is_null(), column, "is none of female, male, unknown")
        return value

    def site(self, column: str) -> dict[str, pl.Expr]:
        """`site` and `site_group`."""
        return {"site": self.word(column), "site_group": site_group(self.word(column))}

    def one_hot(self, columns: Sequence[str]) -> pl.Expr:
        """The name of the one column that holds a 1 where all others hold a 0."""
        values = {name: self.known(name).cast(pl.Float64, strict=False) for name in columns}
        for name, value in values.items():
            self.refuse(~value.is_in([0.0, 1.0]).fill_null(False), name, "is neither 0 nor 1")
        total = pl.sum_horizontal(values.values())
        self.refuse(total != 1, None, f"has not exactly one 1 among {', '.join(columns)}")
        return pl.coalesce(pl.when(value == 1).then(pl.lit(name)) for name, value in values.items())

    def refuse(self, wrong: pl.Expr | pl.Series, column: str | None, what: str) -> None:
        """Say `what` of the first row that is wrong."""
        bad = self.frame.select(wrong.alias("wrong"))["wrong"].arg_true()
        if len(bad):
            row = self.frame.row(bad[0], named=True)
            value = "" if column is None else f": {column} {row[column] or ''!r}"
            more = f" (so are {len(bad) - 1:,} other rows)" if len(bad) > 1 else ""
            raise DataError(f"{self.file}, row {row[ROW]}{value} {what}{more}")


def read_rows(file: Path, required: Sequence[str], source: Source, *, others: Sequence[str] | None = None) -> Rows:
    """The rows of a table that has these columns; `others`, where they are there, and nothing else (None: all)."""
    header = read_header(file)
    missing = [name for name in required if name not in header]
    if missing:
        raise DataError(
            f"{file}: lacks {_columns(missing)}; found {_columns(header)}; give {source.title} as published"
        )
    wanted = header if others is None else [name for name in header if name in {*required, *others}]
    frame = _read_csv(file, wanted).with_row_index(ROW, offset=2)
    frame = frame.filter(~pl.all_horizontal(pl.col(wanted).is_null()))  # blank lines
    if not frame.height:
        raise DataError(f"{file}: has a header and no rows; download it again")
    return Rows(file=file, frame=frame)


def read_header(file: Path) -> list[str]:
    """The names of the columns."""
    try:
        with file.open("rb") as stream:
            line = stream.readline(_HEADER_BYTES).decode("utf-8-sig")
    except OSError as error:
        raise DataError(f"{file}: cannot be read ({error.strerror or error})") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{file}: is not UTF-8 text; save it as CSV in UTF-8") from error
    header = next(csv.reader(io.StringIO(line.rstrip("\r\n"))), [])
    if not any(header):
        raise DataError(f"{file}: is empty; download it again")
    for mark, name in ((";", "semicolons"), ("\t", "tabs")):
        if len(header) == 1 and mark in header[0]:
            raise DataError(f"{file}: is separated by {name}; save it with commas")
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise DataError(f"{file}: has {_columns(twice)} more than once; a column has a name of its own")
    return header


def _columns(names: Sequence[str]) -> str:
    shown = ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")
    return f"the column{'s' if len(names) > 1 else ''} {shown}"


def _read_csv(file: Path, columns: list[str]) -> pl.DataFrame:
    try:
        # all columns, because a row with too many values goes unnoticed when only some are read
        table = pl.read_csv(file, infer_schema=False, glob=False)
        if table[table.columns[-1]].null_count():  # else no row is short, and 400,000 rows need not be read again
            _require_whole(file, table.width)
        return table.select(columns)
    except (pl.exceptions.PolarsError, OSError, csv.Error) as error:
        why = str(error).splitlines()[0] if str(error) else type(error).__name__
        hint = "save it as CSV in UTF-8" if "utf-8" in why else "download it again"
        raise DataError(f"{file}: cannot be read as a table ({why}); {hint}") from error


def _require_whole(file: Path, width: int) -> None:
    """Refuse rows with too few values (the reader takes them as empty): the last is where a download broke off."""
    with file.open(encoding="utf-8-sig", errors="replace", newline="\n") as stream:
        for row, line in enumerate(stream, start=1):
            # counting commas is five times as fast, but within quotes they and line ends are part of a value
            values = len(next(csv.reader(chain([line], stream)))) if '"' in line else line.count(",") + 1
            if values < width and line.strip("\r\n"):
                begins = line.rstrip("\r\n")[:40]
                if not any(map(str.strip, stream)):
                    raise DataError(f"{file}: its last row breaks off ({begins!r}); download it again")
                raise DataError(
                    f"{file}, row {row}: has {values} of the header's {width} values ({begins!r}); write commas for "
                    "those that are empty, or download it again"
                )


def index_table(
    rows: pl.DataFrame, source: Source, vocabulary: Mapping[str, str] | None = None, /, **columns: pl.Expr
) -> pl.DataFrame:
    """These columns of an index from the rows of a file; `dx` is what the vocabulary makes of `dx_raw`."""
    words = dict(known_labels(source.vocabulary) if vocabulary is None else vocabulary)
    fixed = {"source": pl.lit(source.name), "license": pl.lit(source.license)}
    return rows.select(**{**fixed, **columns}).with_columns(
        dx=pl.col("dx_raw").replace_strict(words, default=None, return_dtype=pl.String)
    )


def modality(request: Request) -> str | None:
    """The modality that the user gave, if any."""
    if request.modality not in (None, *MODALITIES):
        raise RecipeError(f"modality {request.modality!r} is unknown; known: {', '.join(MODALITIES)}")
    return request.modality
