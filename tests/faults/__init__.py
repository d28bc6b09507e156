"""Faults of the scan server: whatever goes wrong, and whenever, each page arrives once or stays in the spool."""
