"""What a job is, and the ticket engine. No input or output, no clock."""
