"""The way in: what scan servers send to this device."""

from dsm_device.server.event_sink import EventSink, SinkOptions

__all__ = ["EventSink", "SinkOptions"]
