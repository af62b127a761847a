"""Every test runs in a private network: no frame of a test can reach a real link, and no root is needed."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

from tests.support import netns

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

NO_NETWORK = netns.enter()
"""Why there is none, or empty. Entered at import: a user namespace is refused once the process has threads."""


def _pass_over(_number: int, _frame: object) -> None:
    return


for _number in (signal.SIGINT, signal.SIGHUP):
    # A shell's background job ignores the one, nohup the other. The programs that tests start would inherit that, and what is
    # ignored stays ignored; what is caught is not inherited.
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, _pass_over)


def pytest_report_header() -> str:
    """Say at the start what the network tests will do."""
    return f"network tests skip: {NO_NETWORK}" if NO_NETWORK else "network: private namespaces"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """With AOETUI_NO_SKIP a skip is a failure: whoever sets it has installed everything."""
    report = yield
    if report.skipped and os.environ.get("AOETUI_NO_SKIP"):
        report.outcome, report.longrepr = "failed", f"skipped where nothing may skip: {report.longrepr}"
    return report


@pytest.fixture
def private_network() -> None:
    """Skip, with the reason, where no network namespace can be made."""
    if NO_NETWORK:
        pytest.skip(NO_NETWORK)


@pytest.fixture
def namespace(private_network: None) -> Iterator[netns.Namespace]:  # noqa: ARG001  # it may skip
    """A new, empty network namespace."""
    with netns.Namespace() as made:
        yield made


@pytest.fixture
def veth_pair(private_network: None) -> Iterator[netns.VethPair]:  # noqa: ARG001  # it may skip
    """Two new namespaces, `near` and `far`, with a cable between them: two sockets on one interface never hear each other."""
    with netns.veth_pair() as pair:
        yield pair
