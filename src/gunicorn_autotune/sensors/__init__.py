"""THE WORLD, READ: one file per source; roots are parameters; a sensor answers, it never decides."""
