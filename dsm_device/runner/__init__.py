"""One push scan from the first row to EndPostScanJob, and what a doctor looks at."""
