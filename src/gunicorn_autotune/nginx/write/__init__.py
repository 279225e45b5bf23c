"""WRITE: the figures that fit this Gunicorn, a whole set of nginx files with them, and edits of files that exist."""
