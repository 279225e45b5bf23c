"""SITE: one nginx configuration and the Gunicorn behind it: what is in force where, and which locations lead to it."""
