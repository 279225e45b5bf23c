"""`conf.d/00-autotune.conf`: the formats of the timing log, the same for every site of a host."""

from __future__ import annotations

FORMAT = """\
log_format autotune 'rt=$request_time uct=$upstream_connect_time uht=$upstream_header_time '
                    'urt=$upstream_response_time status=$status bytes=$body_bytes_sent '
                    'at=$time_iso8601 client=$remote_addr id=$request_id upstream=$upstream_addr '
                    'request="$request" agent="$http_user_agent"';
"""
TEXT = (
    """\
# Where the time of a request went, in seconds; the same file for every site of this host.
#     rt    from the client's first byte to the last byte sent to it
#     uct   connecting to Gunicorn, uht until its answer began, urt until it ended; a comma means nginx tried twice
# What the client wrote stands last, so that it cannot pass for a figure.
"""
    + FORMAT
    + """
log_format autotune_json escape=json
    '{"rt":"$request_time","uct":"$upstream_connect_time","uht":"$upstream_header_time",'
    '"urt":"$upstream_response_time","status":"$status","bytes":"$body_bytes_sent",'
    '"at":"$time_iso8601","client":"$remote_addr","id":"$request_id","upstream":"$upstream_addr",'
    '"method":"$request_method","uri":"$request_uri","agent":"$http_user_agent"}';
"""
)
