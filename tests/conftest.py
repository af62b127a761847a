"""Every test runs in a private network: no frame of a test can reach a real link, and no root is needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support import netns

if TYPE_CHECKING:
    from collections.abc import Iterator

NO_NETWORK = netns.enter()
"""Why there is none, or empty. Entered at import: a user namespace is refused once the process has threads."""


def pytest_report_header() -> str:
    """Say at the start what the network tests will do."""
    return f"network tests skip: {NO_NETWORK}" if NO_NETWORK else "network: private namespaces"


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
