"""WS-Discovery: how consoles find this device on the network, and how it says that it comes and goes."""

from dsm_device.server.discovery.host import DiscoveryHost, DiscoveryOptions

__all__ = ["DiscoveryHost", "DiscoveryOptions"]
