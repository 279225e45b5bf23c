"""What several rules ask of a site, and the lines with which they mend it."""
