"""The HTTP service that classifies pictures, and its page to draw on."""
