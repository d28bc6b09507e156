"""Simulated counterparts of a DSM device, for a desk without hardware and for tests.

Independent on purpose: nothing here imports the device or its drivers, so that a mistake in the device's
serialiser is not answered by the same mistake here.
"""
