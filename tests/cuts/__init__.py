"""Power cuts: what is on disk afterwards, and whether the scan server gets every page all the same."""
