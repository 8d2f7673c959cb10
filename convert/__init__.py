"""From a run to a bundle: prune, quantise, prove, and write one file."""
