"""Access lists: words into MACs. A word is a MAC, a group of the config's `[acl]`, or a host name of /etc/ethers (ethers(5))."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from aoetui.engine.api import EngineError
from aoetui.engine.protocol.address import Mac
from aoetui.engine.protocol.facts import AccessPolicy

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from aoetui.engine.spec import ExportSpec

ETHERS = Path("/etc/ethers")


class UnknownWordError(ValueError):
    """A word that is no MAC, no group and no host. The text continues a sentence that begins with the list's name."""


class AccessLists:
    """Who is meant by the words of an export. Fails closed: a word that means nothing opens nothing."""

    def __init__(self, ethers: Path = ETHERS) -> None:
        self.ethers = ethers
        self.groups: Mapping[str, frozenset[Mac]] = {}
        """Of the config's `[acl]`."""

    def policy(self, spec: ExportSpec) -> AccessPolicy:
        """Raises EngineError (field `accept` or `deny`) for a word that means nothing."""
        return AccessPolicy(
            deny=self._members("deny", spec.deny),
            accept=self._members("accept", spec.accept) if spec.accept else None,
        )

    def _members(self, name: str, words: Iterable[str]) -> frozenset[Mac]:
        try:
            return members(words, self.groups, self.ethers)
        except UnknownWordError as error:
            raise EngineError(f"{name} {error}", field=name) from error


def members(words: Iterable[str], groups: Mapping[str, frozenset[Mac]], ethers: Path = ETHERS) -> frozenset[Mac]:
    """The MACs that `words` mean. Raises UnknownWordError."""
    found: set[Mac] = set()
    hosts: Mapping[str, Mac] | None = None
    for word in words:
        if word in groups:
            found |= groups[word]
        elif is_mac(word):
            found.add(_initiator(word))
        else:
            hosts = read_ethers(ethers) if hosts is None else hosts
            if word not in hosts:
                raise UnknownWordError(
                    f"holds {word!r}, which is no MAC, no group of [acl] and no host of {ethers}: correct it, or define it there"
                )
            found.add(hosts[word])
    return frozenset(found)


def is_mac(word: str) -> bool:
    """Whether a word is written as a MAC is."""
    try:
        Mac.parse(word)
    except ValueError:
        return False
    return True


def _initiator(word: str) -> Mac:
    mac = Mac.parse(word)
    if not mac.is_sender:
        raise UnknownWordError(f"holds {mac}, which no frame can come from: name the initiator's own MAC")
    return mac


def read_ethers(path: Path) -> dict[str, Mac]:
    """Hosts and their MACs; empty where there is no such file. Lines that are none of these are passed over, as by ethers(5)."""
    try:
        lines = path.read_text(errors="replace").splitlines()
    except OSError:
        return {}
    hosts: dict[str, Mac] = {}
    for line in lines:
        words = line.partition("#")[0].split()
        if len(words) >= 2:
            try:
                hosts.setdefault(words[1], Mac.parse(words[0]))
            except ValueError:
                continue
    return hosts
