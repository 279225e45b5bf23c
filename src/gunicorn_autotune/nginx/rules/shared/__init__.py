"""What several rules ask of a site, and the lines that mend it."""
