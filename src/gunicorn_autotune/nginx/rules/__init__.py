"""The rules, one a file: `ngx001.py` holds NGX001."""
