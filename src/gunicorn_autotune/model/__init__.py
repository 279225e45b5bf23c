"""THE WORDS: frozen dataclasses and enums that every other room speaks.

No file, socket, clock, log or chance in here. Importing this room loads nothing but the standard library.
"""
