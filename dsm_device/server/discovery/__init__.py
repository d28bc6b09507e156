"""WS-Discovery: how consoles find this device on the network, and how it says that it comes and goes."""

from dsm_device.server.discovery.directed_probe import probe_answer
from dsm_device.server.discovery.host import DiscoveryHost
from dsm_device.server.discovery.options import DiscoveryOptions

__all__ = ["DiscoveryHost", "DiscoveryOptions", "probe_answer"]
