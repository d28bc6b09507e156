"""A week of the device's life in minutes: its own agent on a clock that does not wait, among faults."""
