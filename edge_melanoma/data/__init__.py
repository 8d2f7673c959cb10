"""From published data sets to one index that can be trusted: ingest, audit, split, look at, and a synthetic default."""
