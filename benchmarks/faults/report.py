"""What was measured, for the terminal."""
def report(document): return ""
