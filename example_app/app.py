"""A small Flask site whose pages each put a worker into one situation worth seeing."""

from __future__ import annotations

import os
import random
import sqlite3
import time
from itertools import count
from pathlib import Path

from flask import Flask, Response, make_response, redirect, render_template, request
from notes import MAX_NOTE_LENGTH, Notes, PoolExhaustedError, default_path
from werkzeug.exceptions import Forbidden, HTTPException
from work import MAX_CPU_MS, MAX_IO_MS, BadParameterError, Leak, burn_cpu, one_of, share, whole_number

SLOW_FACTOR = 100
BURST_TARGETS = {"io": "/io?ms=100", "cpu": "/cpu?ms=20", "slow": "/slow?ms=5&share=0.05", "notes": "/notes?hold_ms=50"}
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}


def create_app(db_path: Path | None = None, pool_size: int = 4, pool_wait_seconds: float = 1.0) -> Flask:
    """The site; opens no file, socket or thread, so it may be made before the workers are forked."""
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = 16 * 1024
    app.config["SEND_FILE_MAX_AGE_DEFAULT"] = 3600
    app.extensions["leak"] = Leak()
    app.extensions["notes"] = Notes(db_path or default_path(), pool_size, pool_wait_seconds)
    add_pages(app)
    add_situations(app, app.extensions["leak"])
    add_notes(app, app.extensions["notes"])
    add_manners(app)
    return app


def say(line: str, status: int = 200) -> Response:
    """One line of text for programs, the same line on a page for browsers."""
    if request.accept_mimetypes.best_match(["text/plain", "text/html"]) == "text/html":
        response = make_response(render_template("line.html", line=line, status=status), status)
    else:
        response = make_response(line + "\n", status)
        response.mimetype = "text/plain"
    response.vary.add("Accept")
    return response


def add_pages(app: Flask) -> None:
    """The index, the burst page and the health check."""
    answered = count(1)

    @app.get("/")
    def index() -> str:
        return render_template("index.html", pid=os.getpid(), answered=next(answered))

    @app.get("/burst")
    def burst() -> str:
        n = whole_number("n", request.args.get("n"), 60, 1, 200)
        to = one_of("to", request.args.get("to"), "io", tuple(BURST_TARGETS))
        return render_template("burst.html", n=n, to=to, targets=BURST_TARGETS, fire="n" in request.args)

    @app.get("/healthz")
    def healthz() -> Response:
        return Response("ok\n", mimetype="text/plain")


def add_situations(app: Flask, leak: Leak) -> None:
    """The pages that compute, wait, are slow now and then, or keep memory."""

    @app.get("/cpu")
    def cpu() -> Response:
        used_ms = burn_cpu(whole_number("ms", request.args.get("ms"), 20, 0, MAX_CPU_MS))
        return say(f"cpu: used {used_ms:.1f} ms of CPU time in worker {os.getpid()}")

    @app.get("/io")
    def io() -> Response:
        ms = whole_number("ms", request.args.get("ms"), 100, 0, MAX_IO_MS)
        time.sleep(ms / 1000)
        return say(f"io: waited {ms} ms in worker {os.getpid()}")

    @app.get("/slow")
    def slow() -> Response:
        ms = whole_number("ms", request.args.get("ms"), 20, 0, MAX_IO_MS // SLOW_FACTOR)
        # The random module seeds itself anew in each forked worker, so preloaded workers do not act in step.
        outlier = random.random() < share("share", request.args.get("share"), 0.01)
        ms *= SLOW_FACTOR if outlier else 1
        time.sleep(ms / 1000)
        return say(f"slow: {'an outlier' if outlier else 'an ordinary one'}, waited {ms} ms in worker {os.getpid()}")

    @app.get("/leak")
    def leak_some() -> Response:
        kb = whole_number("kb", request.args.get("kb"), 50, 1, 10_240)
        kept = leak.keep(kb * 1024)
        note = f"kept {kb} kB more" if kept else f"kept nothing more, the bound is {leak.max_bytes >> 20} MB"
        return say(f"leak: {note}; worker {os.getpid()} now keeps {leak.kept_bytes / 1024 / 1024:.2f} MB")


def add_notes(app: Flask, notes: Notes) -> None:
    """The notes page and its form."""

    @app.get("/notes")
    def list_notes() -> str:
        hold_ms = whole_number("hold_ms", request.args.get("hold_ms"), 0, 0, 5_000)
        return render_template(
            "notes.html", notes=notes.latest(hold_ms), pool=notes.pool, pid=os.getpid(), max_length=MAX_NOTE_LENGTH
        )

    @app.post("/notes")
    def add_note() -> Response:
        # Browsers say where a form was sent from; a page of another site may not write here.
        if request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
            raise Forbidden("notes are taken from this site's own form only")
        text = request.form.get("text", "").strip()
        if not 1 <= len(text) <= MAX_NOTE_LENGTH:
            raise BadParameterError("text", text, f"1 to {MAX_NOTE_LENGTH} characters, got {len(text)}")
        notes.add(text)
        return make_response(redirect("/notes", code=303))

    @app.errorhandler(PoolExhaustedError)
    def pool_exhausted(error: PoolExhaustedError) -> Response:
        response = say(f"notes: {error}; try again", 503)
        response.headers["Retry-After"] = "1"
        return response

    @app.errorhandler(sqlite3.OperationalError)
    def no_database(error: sqlite3.OperationalError) -> Response:
        app.logger.error("notes: %s: %s", notes.pool.path, error)
        return say(f"notes: the database does not answer ({error})", 503)


def add_manners(app: Flask) -> None:
    """Errors as one line, and the headers every answer carries."""

    @app.errorhandler(BadParameterError)
    def bad_parameter(error: BadParameterError) -> Response:
        return say(str(error), 400)

    @app.errorhandler(HTTPException)
    def http_error(error: HTTPException) -> Response:
        if error.code is None or error.code < 400:
            return make_response(error.get_response())
        response = say(error.description or error.name, error.code)
        for name, value in error.get_headers():
            if name not in ("Content-Type", "Content-Length"):
                response.headers[name] = value
        return response

    @app.after_request
    def headers(response: Response) -> Response:
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        if request.endpoint != "static":
            response.headers.setdefault("Cache-Control", "no-store")
        response.headers["X-Worker-Pid"] = str(os.getpid())
        return response
