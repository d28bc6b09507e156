"""Who a DSM device talks to: the scan server."""
