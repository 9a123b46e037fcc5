"""Functions from arrays to a matplotlib `Figure`: no files, no global state, one style. A file a subject."""
