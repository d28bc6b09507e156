"""Bytes to messages and back: one module a specification. No sockets, files or clock."""
