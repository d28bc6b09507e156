"""WS-DSD: what the console asks of this device and is told by it, as messages. One module a subject.

Everything that is told is a frozen value (``model``, ``configuration``, a ticket), rendered where it is sent.
The one-level rule (WS-DSD, namespaces): a wrapper and its direct children are in the namespace that was asked in,
everything below is WS-Scan's.
"""
