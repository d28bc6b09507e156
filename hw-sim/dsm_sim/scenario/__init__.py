"""Scenarios: a scanner, paper, a server and a network in a file, played against the real device and judged.

The player sets a desk (:mod:`.desk`), starts the device's own program on it (:mod:`.device`) and lets accidents
happen at their moments (:mod:`.player`); the judge compares what the scanner fed with what the server stored
(:mod:`.judge`).
"""
