"""The simulated scan server's page for a browser: its jobs, their images, and what was wrong with them.

Plain HTTP on a port of its own, for reading only. Nothing here changes anything in the server.
"""

from dsm_sim.peers.scan_server.web.service import WebPage

__all__ = ["WebPage"]
