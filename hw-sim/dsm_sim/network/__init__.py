"""A network that misbehaves: a TCP proxy on loopback, slow, far away, breaking off, silent.

TLS goes through untouched; nothing is read but lengths. ``with running_network(behaviour, port) as network`` runs
one in a thread; ``network.behave(…)`` changes it while it runs.
"""

from dsm_sim.network.behaviour import NetworkBehaviour, NetworkCounts
from dsm_sim.network.running import RunningNetwork, running_network

__all__ = ["NetworkBehaviour", "NetworkCounts", "RunningNetwork", "running_network"]
