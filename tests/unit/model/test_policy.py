"""Settings: declared once, checked with names an operator recognises."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gunicorn_autotune.model.policy import Policy, PolicyError, for_host, names_written, policy_from, with_automatic_max
from gunicorn_autotune.model.readings import Missing
from gunicorn_autotune.testing import MIB, a_host

NAMES = [spec.name for spec in dataclasses.fields(Policy)]


def test_the_defaults_are_a_valid_policy() -> None:
    """No setting needs to be written."""
    assert policy_from({}, {}) == Policy()


def test_the_environment_beats_the_file() -> None:
    """GUNICORN_AUTOTUNE_MAX_WORKERS=5 wins over max_workers=9."""
    assert policy_from({"max_workers": 9}, {"GUNICORN_AUTOTUNE_MAX_WORKERS": " 5 "}).max_workers == 5


def test_other_variables_are_not_ours() -> None:
    """GUNICORN_CMD_ARGS is Gunicorn's own."""
    assert policy_from({}, {"GUNICORN_CMD_ARGS": "--workers 3", "HOME": "x"}) == Policy()


@pytest.mark.parametrize("name", NAMES)
def test_every_setting_says_what_it_means(name: str) -> None:
    """The declaration carries the help that the docs page prints."""
    spec = next(spec for spec in dataclasses.fields(Policy) if spec.name == name)

    assert len(spec.metadata["help"]) > 20


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ({"max_worker": 4}, "autotune setting max_worker: no such setting; did you mean max_workers?"),
        ({"zzz": 4}, "autotune setting zzz: no such setting; known settings: mode, min_workers"),
        ({"max_workers": True}, "autotune setting max_workers = True: must be a whole number"),
        ({"max_workers": None}, "autotune setting max_workers = None: must be a whole number"),
        ({"max_workers": 5000}, "autotune setting max_workers = 5000: must be at most 4096"),
        ({"mode": 1}, "autotune setting mode = 1: must be text"),
        ({"calm_seconds": float("inf")}, "autotune setting calm_seconds = inf: must be at most 86400"),
        ({"metrics_key_file": "k.pem"}, "autotune setting metrics_cert_file = '': goes together with"),
    ],
)
def test_a_wrong_setting_names_setting_value_and_rule(written: dict[str, object], text: str) -> None:
    """One line an operator can act on."""
    with pytest.raises(PolicyError) as caught:
        policy_from(written, {})

    assert text in str(caught.value) and "\n" not in str(caught.value)


@given(st.sampled_from(NAMES), st.text(max_size=40))
def test_any_text_in_the_environment_is_taken_or_refused_in_one_line(name: str, text: str) -> None:
    """Never another exception than PolicyError, never a policy outside its bounds."""
    try:
        policy = policy_from({}, {f"GUNICORN_AUTOTUNE_{name.upper()}": text})
    except PolicyError as error:
        assert name.upper() in str(error) or name in str(error)
    else:
        assert dataclasses.replace(policy) == policy


@pytest.mark.parametrize(
    ("cores", "memory_bytes", "expected"),
    [
        (1.0, 512 << 20, 16),
        (2.0, 24 << 30, 40),
        (64.0, 256 << 30, 512),
        (0.5, 64 << 20, 4),
        (8.0, None, 136),
    ],
    ids=["small-vps", "two-cores", "64-cores", "tiny-container", "memory-unknown"],
)
def test_the_automatic_maximum_fits_the_host(cores: float, memory_bytes: int | None, expected: int) -> None:
    """Safe on a 512 MB VPS and on a 64-core machine."""
    assert with_automatic_max(Policy(), cores, memory_bytes).max_workers == expected


def test_a_written_maximum_is_left_alone() -> None:
    """Automatic means 0 only."""
    assert with_automatic_max(Policy(max_workers=3), 64, None).max_workers == 3


SERVICE = {
    "SERVICE_HOST": "10.96.7.7", "SERVICE_PORT": "9877", "SERVICE_PORT_METRICS": "9877", "PORT": "tcp://10.96.7.7:9877",
    "PORT_9877_TCP": "tcp://10.96.7.7:9877", "PORT_9877_TCP_PROTO": "tcp", "PORT_9877_TCP_PORT": "9877",
    "PORT_9877_TCP_ADDR": "10.96.7.7",
}  # fmt: skip
"""What Kubernetes sets for one Service, after its name."""


@pytest.mark.parametrize("name", ["", "METRICS_", "MAX_WORKERS_"])
def test_kubernetes_variables_for_a_service_of_our_name_are_no_settings(name: str) -> None:
    """Services gunicorn-autotune, gunicorn-autotune-metrics and gunicorn-autotune-max-workers."""
    links = {f"GUNICORN_AUTOTUNE_{name}{what}": text for what, text in SERVICE.items()}

    assert policy_from({}, links) == Policy()


@pytest.mark.parametrize("text", ["", " ", "\n"])
def test_an_empty_variable_is_not_set(text: str) -> None:
    """Compose passes on a variable that nobody filled in; the file's value stays."""
    environment = {"GUNICORN_AUTOTUNE_MAX_WORKERS": text, "GUNICORN_AUTOTUNE_MODE": text, "GUNICORN_AUTOTUNE_": text}

    assert policy_from({"max_workers": 9}, environment).max_workers == 9


@pytest.mark.parametrize("name", ["PORT", "METRICS_PORT", "METRIC", "MAXWORKERS", ""])
def test_a_slip_is_still_refused(name: str) -> None:
    """A number in GUNICORN_AUTOTUNE_PORT is somebody who looks for the setting `metrics`."""
    with pytest.raises(PolicyError, match="no such setting"):
        policy_from({}, {f"GUNICORN_AUTOTUNE_{name}": "9877"})


@pytest.mark.parametrize(("written", "least"), [({"max_workers": 1}, 1), ({"max_workers": 8}, 2), ({}, 2)])
def test_our_default_minimum_does_not_contradict_a_written_maximum(written: dict[str, int], least: int) -> None:
    """max_workers=1 alone is one worker, not an error about a minimum that nobody wrote."""
    assert policy_from(written, {}).min_workers == least


def test_names_that_somebody_wrote() -> None:
    """In the file or in the environment; an empty variable is not written."""
    environment = {"GUNICORN_AUTOTUNE_MODE": "observe", "GUNICORN_AUTOTUNE_MIN_WORKERS": ""}

    assert names_written({"max_workers": 3}, environment) == {"max_workers", "mode"}


@pytest.mark.parametrize(("sized", "most"), [(False, 9), (True, 40)])
def test_the_memory_limit_bounds_the_automatic_maximum_until_sizes_are_known(sized, most):
    """300 MiB at 32 a worker; after that the memory cap decides, and the cores bound the count."""
    assert for_host(Policy(), a_host(memory_limit_bytes=300 * MIB), sized=sized).max_workers == most


@pytest.mark.parametrize("sized", [False, True])
def test_a_limit_that_cannot_be_read_lowers_no_maximum(sized):
    """It may be so for a moment, and workers above the maximum leave at once."""
    host = a_host(memory_limit_bytes=Missing("just changed"), memory_used_bytes=Missing("just changed"))

    assert for_host(Policy(), host, sized=sized).max_workers == 40
