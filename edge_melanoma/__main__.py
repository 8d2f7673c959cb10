"""`python -m edge_melanoma` is the `edge-melanoma` command."""

from edge_melanoma.cli import main

main()
