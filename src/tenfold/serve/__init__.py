"""The HTTP service: pictures in, answers out, and the page where one draws a digit."""
