"""THE NGINX SIDE: reads nginx's configuration, judges it beside Gunicorn's, and writes one that fits.

read/ turns text into a tree, site/ says what is in force in it and what leads to Gunicorn, write/ renders new files and
edits old ones, rules/ holds one file for each fault that `nginx check` finds. Text in, text out: the command line opens
the files, runs nginx and asks Gunicorn.
"""
