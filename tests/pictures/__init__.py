"""Pictures of what the device does, made by the device."""
