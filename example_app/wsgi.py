"""What Gunicorn loads: `gunicorn wsgi:app`, from this directory."""

from app import create_app

app = create_app()
