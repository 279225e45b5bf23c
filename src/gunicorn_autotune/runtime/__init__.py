"""THE HANDS: hooks, arbiter extension, ticker (the only clock), actuator (the only kill).

The only room that imports gunicorn.
"""
