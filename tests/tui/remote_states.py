"""What devices of others keep and say, for tests and pictures of the console."""

from __future__ import annotations

from dataclasses import replace

from aoetui.engine.commands.identify import IdentifyReport, identify_fields
from aoetui.engine.commands.remote import KnownMac, RemoteState, RemoteTarget
from aoetui.engine.protocol.address import Address, Mac
from aoetui.engine.protocol.ata import identify_page
from aoetui.engine.protocol.identify_page import words_of
from aoetui.engine.snapshot import StateLimits

E91 = Address(9, 1)
HERE = Mac.parse("52:54:00:aa:00:01")
WEB = Mac.parse("52:54:00:a0:e0:01")
STRANGER = Mac.parse("52:54:00:a0:e0:07")
TARGET = RemoteTarget(
    mac=Mac.parse("52:54:00:00:09:01"),
    interfaces=("eth1",),
    model="aoetui",
    serial="7f3a11c0",
    size=10_737_418_240,
    config_string=b"web01",
    buffer_count=64,
    firmware_version=1,
    sector_count=17,
    mask=(HERE, WEB),
    reservation=(WEB,),
)
STATE = RemoteState(
    address=E91,
    targets=(TARGET,),
    conflict="",
    known=(
        KnownMac(HERE, this_host=True, words="this host, eth1"),
        KnownMac(WEB, this_host=False, words="uses our e20.0 on eth1"),
    ),
    here=(HERE,),
    limits=StateLimits(1024, 185, 248),
)
CONFLICT = replace(
    STATE,
    targets=(TARGET, replace(TARGET, mac=Mac.parse("52:54:00:00:99:01"), config_string=b"[/x]\x1b", mask=None)),
    conflict="different disks answer at one address (52:54:00:00:09:01 and 52:54:00:00:99:01): Linux corrupts both",
)
_WORDS = words_of(identify_page(sectors=20_971_520, serial="[/x]7f3a11c0", firmware="0.1.0", write_cache=True))
REPORT = IdentifyReport(E91, TARGET.mac, "eth1", _WORDS, identify_fields(_WORDS))
