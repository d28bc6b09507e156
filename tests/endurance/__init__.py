"""Whether a running agent stays as it is: over many jobs, many pages, many replugs; and how soon it scans."""
