"""THE NGINX SIDE: text in, text out. Reads nginx's configuration, judges it beside Gunicorn's, writes one that fits.

Opens no file, runs no process, knows no Gunicorn: what a rule may look at is a `Site`, gathered by the command line.
"""
