"""The rendered files, one module each: Gunicorn's settings and the options in, text out."""
