"""The HTTP service: pictures in, answers out, and the page to draw on."""
