"""Acquisition in a process of its own: the driver and the encoders live there, the agent only watches.

``messages`` is what the two processes tell each other, ``worker`` is the process, ``page_flow`` the path of the
rows inside it, ``process`` the agent's end.
"""
