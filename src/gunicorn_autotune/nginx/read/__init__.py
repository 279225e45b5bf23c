"""READ: nginx's own text as a tree of directives, each with its file and line; times, sizes and the timing log."""
