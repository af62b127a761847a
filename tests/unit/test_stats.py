"""Counters into rates, with times handed in."""

from __future__ import annotations

from aoetui.engine.link_facts import LinkCounters
from aoetui.engine.snapshot import Counters, LinkRates, Rates
from aoetui.engine.stats import HISTORY, LinkMeter, RateMeter, add_rates


def test_a_rate_is_the_difference_over_the_time_that_passed() -> None:
    meter = RateMeter()
    meter.sample(Counters(reads=5, writes=5, read_bytes=100, write_bytes=50), 10.0)
    assert meter.rates == Rates(), "the first sample has nothing before it"
    meter.sample(Counters(reads=15, writes=7, read_bytes=1100, write_bytes=50), 12.0)
    assert meter.rates == Rates(read_bytes=500.0, write_bytes=0.0, reads=5.0, writes=1.0)
    assert list(meter.history) == [meter.rates]


def test_it_says_whether_the_counters_moved() -> None:
    meter = RateMeter()
    assert meter.sample(Counters(reads=5), 10.0), "nobody knows yet"
    assert not meter.sample(Counters(reads=5), 11.0)
    assert meter.sample(Counters(reads=5, others=1), 12.0)


def test_two_samples_of_one_moment_divide_by_nothing() -> None:
    meter = RateMeter()
    meter.sample(Counters(), 10.0)
    meter.sample(Counters(reads=1), 10.0)
    assert meter.rates == Rates()


def test_the_history_is_bounded() -> None:
    meter = RateMeter()
    for second in range(HISTORY + 10):
        meter.sample(Counters(reads=second * second), float(second))
    assert len(meter.history) == HISTORY
    assert meter.history[-1].reads == 2 * (HISTORY + 9) - 1


def test_a_link_that_was_made_again_starts_anew() -> None:
    meter = LinkMeter()
    meter.sample(LinkCounters(rx_bytes=1000, tx_bytes=1000), 1.0)
    meter.sample(LinkCounters(rx_bytes=1500, tx_bytes=1100, rx_packets=5), 2.0)
    assert meter.rates == LinkRates(rx_bytes=500.0, tx_bytes=100.0, rx_packets=5.0)
    meter.sample(LinkCounters(rx_bytes=10), 3.0)
    assert meter.rates == LinkRates()
    meter.sample(LinkCounters(rx_bytes=30), 4.0)
    assert meter.rates.rx_bytes == 20.0


def test_rates_add_up() -> None:
    assert add_rates([Rates(1.0, 2.0, 3.0, 4.0), Rates(10.0, 20.0, 30.0, 40.0)]) == Rates(11.0, 22.0, 33.0, 44.0)
    assert add_rates([]) == Rates()
