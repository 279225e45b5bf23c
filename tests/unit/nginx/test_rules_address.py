"""NGX201 to NGX208 where they must be silent, or only warn."""

from __future__ import annotations

import pytest

from tests.unit.nginx.asked import HTTP, asked, cured, levels, location, upstream

TCP = 'gunicorn.bind = ["127.0.0.1:8000"]'
UNIX = 'gunicorn.bind = ["unix:/run/shop/g.sock"]'


def test_a_wrong_port_is_put_right_with_the_servers_parameters_kept() -> None:
    """The proposed line is Gunicorn's address with what else stood there."""
    text = cured("NGX201", upstream("server 127.0.0.1:8001 fail_timeout=0;", TCP))

    assert "server 127.0.0.1:8000 fail_timeout=0;" in text


def test_a_wrong_address_in_proxy_pass_keeps_its_path() -> None:
    """The URI after the address is no part of it."""
    body = "location /a/ {\nproxy_pass http://127.0.0.1:8001/b/;\n}"

    assert "proxy_pass http://127.0.0.1:8000/b/;" in cured("NGX201", f"#: {TCP}\nevents {{}}\n{HTTP % body}")


def test_a_wrong_socket_in_proxy_pass_keeps_its_path() -> None:
    """A socket's URI follows a colon."""
    body = "location /a/ {\nproxy_pass http://unix:/run/x.sock:/b/;\n}"

    assert "proxy_pass http://unix:/run/shop/g.sock:/b/;" in cured("NGX201", f"#: {UNIX}\nevents {{}}\n{HTTP % body}")


def test_every_location_with_the_wrong_address_is_put_right() -> None:
    """One finding, and a change that leaves none of them behind."""
    body = "location / {\nproxy_pass http://127.0.0.1:8001;\n}\nlocation /a/ {\nproxy_pass http://127.0.0.1:8001;\n}"

    assert "8001" not in cured("NGX201", f"#: {TCP}\nevents {{}}\n{HTTP % body}")


@pytest.mark.parametrize(
    ("servers", "said"),
    [
        ("server 127.0.0.1:8001;", "gunicorn.threads = 2"),
        ("server 127.0.0.1:5000;", 'gunicorn.bind = ["0.0.0.0:8000"]'),
        (
            "server unix:/mnt/g.sock;",
            UNIX + '\nhost.sockets = {"/mnt/g.sock" = {mode = 511, owner = "a", group = "a"}}',
        ),
        ("server web:8000;", TCP),
        ("server 127.0.0.1:6081;", TCP + "\nhost.listening = [80, 6081, 8000]"),
    ],
    ids=["systemd-socket", "published-port", "shared-volume", "other-container", "cache-between"],
)
def test_what_no_file_can_tell_is_a_warning(servers: str, said: str) -> None:
    """A bind that nobody wrote, a container's port, a mounted socket, a name of another container."""
    assert ["warning"] == levels("NGX201", upstream(servers, said))


@pytest.mark.parametrize(
    ("servers", "said"),
    [
        ("server 127.0.0.1:9000; server 127.0.0.1:8000;", TCP),
        ("server 10.0.0.6:8000;", 'gunicorn.bind = ["0.0.0.0:8000"]\nhost.own_addresses = ["10.0.0.5"]'),
        ("server 127.0.0.1:8001;", 'gunicorn.bind = ["fd://3"]'),
        ("server unix:/srv/shop/g.sock;", 'gunicorn.bind = ["unix:g.sock"]\ngunicorn.chdir = "/srv/shop"'),
        ("server localhost:8000;", TCP),
        ("server 127.0.0.1:8000;", 'gunicorn.bind = ["localhost:8000"]'),
    ],
    ids=["one-of-two", "other-host", "inherited-socket", "relative-socket", "name", "name-in-bind"],
)
def test_an_address_that_may_be_gunicorns_is_left_alone(servers: str, said: str) -> None:
    """Other spellings, other hosts and other servers beside Gunicorn are no fault."""
    assert [] == levels("NGX201", upstream(servers, said))


def test_a_target_with_a_variable_may_be_gunicorn() -> None:
    """Where one proxy_pass cannot be read, nobody can say that none leads to Gunicorn."""
    body = (
        "location / { set $to 127.0.0.1:8000; proxy_pass http://$to; }\nlocation /x { proxy_pass http://127.0.0.1:3; }"
    )

    assert [] == levels("NGX201", f"#: {TCP}\nevents {{}}\n{HTTP % body}")


def test_a_configuration_that_passes_nothing_on_is_a_warning() -> None:
    """The stock file without the site's: a link that is missing in sites-enabled."""
    assert ["warning"] == levels("NGX201", f"#: {TCP}\nevents {{}}\n{HTTP % 'root /var/www;'}")


def sockets(mode: str, owner: str, group: str) -> str:
    """A socket on the host, and a Gunicorn whose socket it is."""
    return f'{UNIX}\nhost.sockets = {{"/run/shop/g.sock" = {{mode = {mode}, owner = "{owner}", group = "{group}"}}}}'


@pytest.mark.parametrize(
    ("said", "found"),
    [
        (sockets("0o777", "shop", "shop"), []),
        (sockets("0o700", "shop", "shop"), ["error"]),
        (sockets("0o701", "shop", "shop"), ["error"]),
        (sockets("0o700", "www-data", "shop"), []),
        (sockets("0o770", "shop", "www-data"), []),
        (sockets("0o770", "shop", "shop"), ["warning"]),
        (sockets("0o770", "shop", "shop") + '\nhost.nginx_groups = ["www-data", "shop"]', []),
        (sockets("0o770", "shop", "shop") + '\nhost.nginx_groups = ["www-data"]', ["error"]),
        (sockets("0o707", "shop", "www-data") + '\nhost.nginx_groups = ["www-data"]', ["error"]),
    ],
)
def test_the_socket_on_disk_is_judged_as_the_kernel_does(said: str, found: list[str]) -> None:
    """The owner's bits for the owner, the group's for the group, and doubt where the groups are not known."""
    assert found == levels("NGX202", upstream("server unix:/run/shop/g.sock;", said, "user www-data;\nevents {}"))


def test_a_mode_that_shuts_nginx_out_is_a_warning_where_nginxs_user_is_not_told() -> None:
    """Without a `user` line nginx runs as whatever the package says."""
    assert ["warning"] == levels("NGX202", upstream("server unix:/run/shop/g.sock;", sockets("0o700", "shop", "shop")))


@pytest.mark.parametrize(
    ("mode", "main"),
    [("0o700", "user root;\nevents {}"), ("0o777", "events {}"), ("0o722", "events {}")],
    ids=["root", "everybody", "everybody-may-write"],
)
def test_a_socket_that_anybody_may_write_or_root_opens_is_fine(mode: str, main: str) -> None:
    """Root may open all, and what everybody may write needs no user to be told; only the bits for writing count."""
    assert [] == levels("NGX202", upstream("server unix:/run/shop/g.sock;", sockets(mode, "shop", "shop"), main))


@pytest.mark.parametrize("mode", ["0o577", "0o757", "0o775"])
def test_a_socket_that_somebody_may_not_write_is_doubted_where_nginxs_user_is_not_told(mode: str) -> None:
    """One bit for writing is missing."""
    assert ["warning"] == levels("NGX202", upstream("server unix:/run/shop/g.sock;", sockets(mode, "a", "b")))


def test_a_socket_in_tmp_is_a_warning_without_knowing_gunicorn() -> None:
    """PrivateTmp hides it whatever its mode."""
    assert ["warning"] == levels("NGX202", upstream("server unix:/tmp/g.sock;"))


def test_a_socket_in_ones_own_home_is_fine() -> None:
    """nginx runs as the user whose home it is."""
    assert [] == levels("NGX202", upstream("server unix:/home/ann/g.sock;", "", "user ann;\nevents {}"))


@pytest.mark.parametrize(
    ("servers", "said"),
    [
        ("server localhost:8000;", 'host.addresses = {localhost = ["127.0.0.1"]}'),
        ("server localhost:8000 fail_timeout=0;", ""),
        ("server app.internal:8000;", 'host.addresses = {"app.internal" = ["10.0.0.5", "10.0.0.6"]}'),
        ("server web:8000;", ""),
    ],
    ids=["one-address", "uncounted", "several-hosts", "unknown"],
)
def test_a_name_that_is_one_server_or_several_hosts_is_left_alone(servers: str, said: str) -> None:
    """Only one host under two addresses is the trap."""
    assert [] == levels("NGX203", upstream(servers, said))


def test_the_address_proposed_is_ipv4_where_nobody_knows_what_gunicorn_binds_to() -> None:
    """Gunicorn's own default is 127.0.0.1."""
    said = 'host.addresses = {localhost = ["::1", "127.0.0.1"]}'

    assert "server 127.0.0.1:8000;" in cured("NGX203", upstream("server localhost:8000;", said))


def test_the_address_proposed_is_the_one_gunicorn_listens_at() -> None:
    """Not the IPv4 one where Gunicorn binds to ::1."""
    text = upstream("server localhost:8000 weight=2;", 'gunicorn.bind = ["[::1]:8000"]')

    assert "server [::1]:8000 weight=2;" in cured("NGX203", text)


@pytest.mark.parametrize(
    "servers",
    [
        "server 10.0.0.5:8000;",
        "server 10.0.0.5:8000 fail_timeout=0; server 10.0.0.6:8000 max_fails=0;",
        "server 10.0.0.5:8000 max_fails=3; server 10.0.0.6:8000 max_fails=2 fail_timeout=30s;",
        "server 10.0.0.5:8000 max_fails=3; server 10.0.0.6:8000 backup;",
    ],
)
def test_servers_that_take_several_failures_are_left_alone(servers: str) -> None:
    """Alone, uncounted, with a limit of their own, or a standby."""
    assert [] == levels("NGX204", upstream(servers))


def test_a_short_somaxconn_is_told_beside_a_long_backlog() -> None:
    """128 places, as before Linux 5.4, whatever Gunicorn asks for."""
    found = asked("NGX205", upstream("server unix:/run/shop/g.sock;", UNIX + "\nhost.somaxconn = 128"))

    assert ["sysctl -w net.core.somaxconn=4096    # and in /etc/sysctl.d"] == [one.fix for one in found]


def test_a_short_queue_over_tcp_is_left_alone() -> None:
    """A full TCP queue makes nginx try again instead of failing."""
    assert [] == levels("NGX205", upstream("server 127.0.0.1:8000;", TCP + "\ngunicorn.backlog = 64"))


@pytest.mark.parametrize(
    "servers", ["server web:8000;", "server 10.0.0.5:8000;", "server 127.0.0.1:8000; server 10.0.0.6:8000;"]
)
def test_an_open_bind_is_right_where_nginx_comes_from_elsewhere(servers: str) -> None:
    """Another container, another host, or one configuration file for several hosts."""
    assert [] == levels("NGX206", upstream(servers, 'gunicorn.bind = ["0.0.0.0:8000"]'))


@pytest.mark.parametrize(("server", "bind"), [("127.0.0.1", "127.0.0.1:8000"), ("[::1]", "[::1]:8000")])
def test_the_narrow_bind_is_the_one_nginx_connects_to(server: str, bind: str) -> None:
    """`[::]` hears both; only one of them is in nginx's file."""
    found = asked("NGX206", upstream(f"server {server}:8000;", 'gunicorn.bind = ["[::]:8000"]'))

    assert [f'bind = "{bind}"    # in Gunicorn\'s configuration file'] == [one.fix for one in found]


@pytest.mark.parametrize(
    "servers",
    [
        "least_conn; server 10.0.0.5:8000; server 10.0.0.6:8000;",
        "least_conn; server web:8000;",
        "zone shop 64k; server 127.0.0.1:8000 max_conns=64;",
    ],
)
def test_a_choice_among_several_servers_has_a_meaning(servers: str) -> None:
    """Two servers, a name that may be several, and a limit that all nginx workers count together."""
    assert [] == levels("NGX207", upstream(servers, main="worker_processes auto;\nevents {}"))


def test_max_conns_of_one_nginx_worker_needs_no_zone() -> None:
    """It counts for itself."""
    text = upstream("server 127.0.0.1:8000 max_conns=64;", "", "worker_processes 1;\nevents {}")

    assert [] == levels("NGX207", text)


def test_max_conns_without_a_zone_is_told_with_its_sum() -> None:
    """Four workers that each allow 64."""
    text = upstream("server 127.0.0.1:8000 max_conns=64;", "host.cpus = 4", "worker_processes auto;\nevents {}")

    assert "256 connections in all" in asked("NGX207", text)[0].message


@pytest.mark.parametrize(
    ("inner", "said", "found"),
    [
        ("", 'gunicorn.http2_cleartext = "prior-knowledge"', []),
        ("", 'gunicorn.http_protocols = "h2,h1"\n#: gunicorn.http2_cleartext = "both"', []),
        ("", 'gunicorn.http_protocols = "h2,h1"\n#: gunicorn.http2_cleartext = "prior-knowledge"', ["error"]),
        ("proxy_http_version 2;", 'gunicorn.http_protocols = "h2"\n#: gunicorn.http2_cleartext = "both"', []),
        ("proxy_http_version 2;", "gunicorn.threads = 2", ["error"]),
    ],
)
def test_the_version_of_http_must_suit_both(inner: str, said: str, found: list[str]) -> None:
    """prior-knowledge counts only with h2 among the protocols; HTTP/2 needs a Gunicorn that takes it."""
    assert found == levels("NGX208", location(inner, f'#: nginx = "1.29.6"\n#: {said}'))


def test_the_scheme_is_not_judged_where_gunicorn_is_not_found() -> None:
    """Every route leads to another port: whatever listens there may speak TLS."""
    body = "location / { proxy_pass https://127.0.0.1:9443; }"

    assert [] == levels("NGX208", f'#: gunicorn.bind = ["127.0.0.1:8000"]\nevents {{}}\n{HTTP % body}')


def test_the_scheme_towards_another_server_is_not_judged() -> None:
    """A location beside Gunicorn's may speak TLS to whatever it likes."""
    body = "location / { proxy_pass http://shop; }\nlocation /pay/ { proxy_pass https://127.0.0.1:9443; }"

    assert [] == levels("NGX208", f"#: {TCP}\nevents {{}}\n{HTTP % body}")


def test_a_cache_between_the_two_is_not_patched_away() -> None:
    """Somebody listens where nginx points: what, no file tells."""
    text = upstream("server 127.0.0.1:6081;", TCP + "\nhost.listening = [6081]")

    assert [()] == [one.edits for one in asked("NGX201", text)]


def test_a_scheme_is_doubted_where_only_the_port_speaks_for_gunicorn() -> None:
    """A name that does not resolve here may be another server's."""
    body = "location / { proxy_pass https://vault:8000; }"

    assert ["warning"] == levels("NGX208", f'#: gunicorn.bind = ["0.0.0.0:8000"]\nevents {{}}\n{HTTP % body}')
