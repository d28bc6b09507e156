"""Drivers: what stands behind the port of ``dsm_device.hardware``. Each sees only that and the errors."""
