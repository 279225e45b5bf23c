"""Odd configurations by the thousand, for whatever reads them."""
