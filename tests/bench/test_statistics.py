"""The statistics, proved on simulated races with known drift, bursts, process luck and effects.

All seeds are fixed, so these tests either always pass or never.
"""

from __future__ import annotations

import math
import random
import statistics

import pytest

from bench import statistics as race

MARGIN = math.log1p(0.03)


def simulate(
    draw: random.Random, rounds: int, effect: float = 0.0, samples: int = 10, process: float = 0.012
) -> list[float]:
    """The log-ratios of one race of two arms on a machine that drifts and has neighbours.

    Each process has luck of its own (sd `process`), each sample noise, the machine's speed wanders by 40 %, and one
    sample in ten is hit by a burst of up to a factor of two.
    """
    differences = []
    drift = draw.uniform(0, math.tau)
    for number in range(rounds):
        arms = [draw.gauss(0, process), draw.gauss(effect, process)]
        times: tuple[list[float], list[float]] = ([], [])
        for sample in range(samples):
            for arm in draw.sample((0, 1), 2):
                now = drift + (number * samples + sample) / 30
                noise = 0.2 * math.sin(now) + draw.gauss(0, 0.01)
                burst = draw.uniform(0, 0.7) if draw.random() < 0.1 else 0.0
                times[arm].append(math.exp(arms[arm] + noise + burst))
        differences.append(race.round_difference(times[1], times[0]))
    return differences


@pytest.mark.parametrize(("rounds", "races"), [(6, 1000), (16, 500)])
def test_identical_arms_differ_in_about_five_per_cent_of_intervals_and_in_no_verdict(rounds: int, races: int) -> None:
    draw = random.Random(rounds)
    found = [race.compare(simulate(draw, rounds)) for _ in range(races)]
    excluding = sum(one.excludes_one for one in found) / races
    assert 0.015 < excluding < 0.065
    significant = sum(one.p < 0.05 for one in found) / races
    assert significant < 0.06
    noises = [abs(math.log(one.ratio)) for one in reversed(found)]
    verdicts = [race.verdict(one, one.p, noise, MARGIN) for one, noise in zip(found, noises, strict=True)]
    assert sum(verdict in {"faster", "slower"} for verdict in verdicts) <= races // 250


@pytest.mark.parametrize(
    ("rounds", "effect", "at_least"), [(16, 0.02, 0.90), (16, 0.05, 0.999), (6, 0.05, 0.95), (6, 0.10, 0.999)]
)
def test_a_real_difference_is_found(rounds: int, effect: float, at_least: float) -> None:
    draw = random.Random(rounds * 1000)
    found = [race.compare(simulate(draw, rounds, math.log1p(effect))) for _ in range(200)]
    assert sum(one.excludes_one and one.ratio > 1 for one in found) / len(found) >= at_least
    assert statistics.median(one.ratio for one in found) == pytest.approx(1 + effect, abs=0.004)


def test_the_interval_covers_the_true_ratio() -> None:
    draw = random.Random(8)
    found = [race.compare(simulate(draw, 16, math.log(1.2))) for _ in range(400)]
    covered = sum(one.low is not None and one.high is not None and one.low <= 1.2 <= one.high for one in found)
    assert 0.92 < covered / len(found) < 0.98


@pytest.mark.parametrize("rounds", [6, 16])
def test_a_suite_of_identical_loops_rarely_has_a_single_significant_workload(rounds: int) -> None:
    draw = random.Random(rounds)
    alarms = 0
    for _ in range(50):
        values = {(str(n), "arm"): race.compare([draw.gauss(0, 0.02) for _ in range(rounds)]).p for n in range(60)}
        alarms += min(race.holm(values).values()) < race.LEVEL
    assert alarms / 50 < 0.08


def test_two_races_of_identical_loops_rarely_have_a_single_significant_change() -> None:
    draw = random.Random(10)

    def became(effect: float) -> race.Comparison:
        old, new = ([draw.gauss(mean, 0.02) for _ in range(10)] for mean in (0.0, effect))
        return race.ratio_of_ratios(race.compare(old), race.compare(new))

    alarms = found = 0
    for _ in range(20):
        values = {(str(n), "arm"): became(0.0).p for n in range(60)}
        alarms += min(race.holm(values).values()) < race.LEVEL
        values["slow", "arm"] = became(math.log(1.1)).p
        found += race.holm(values)["slow", "arm"] < race.LEVEL
    assert alarms <= 1
    assert found >= 19


def test_six_rounds_suffice_to_find_a_factor_of_two_among_a_hundred_workloads() -> None:
    draw = random.Random(3)
    values = {(str(n), "arm"): race.compare([draw.gauss(0, 0.02) for _ in range(6)]).p for n in range(99)}
    differences = [math.log(2) + draw.gauss(0, 0.02) for _ in range(6)]
    values["slow", "arm"] = race.compare(differences).p
    assert race.holm(values)["slow", "arm"] < 0.001


def test_group_means_cover_the_true_mean() -> None:
    draw = random.Random(11)
    covered = 0
    for _ in range(80):
        shared = [draw.gauss(0, 0.01) for _ in range(16)]
        table = [[0.1 + common + draw.gauss(0, 0.03) for common in shared] for _ in range(8)]
        ratio, low, high = race.geometric_mean(table, resamples=400)
        assert low is not None
        assert high is not None
        assert low <= ratio <= high
        covered += low <= math.exp(0.1) <= high
    assert covered / 80 > 0.88


def test_known_values() -> None:
    found = race.compare([0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
    assert found.ratio == pytest.approx(math.exp(0.35))
    assert (found.low, found.high) == (pytest.approx(math.exp(0.1)), pytest.approx(math.exp(0.6)))
    # Twice Student's p of t = 0.35 / (0.18708 / sqrt(6)) with 5 degrees of freedom, which is 0.00594.
    assert found.p == pytest.approx(2 * 0.00594, rel=0.01)
    # R: wilcox.test on 16 values leaves out the 29 outermost Walsh averages on each side for 95 %.
    differences = [float(n) for n in range(16)]
    walsh = sorted((x + y) / 2 for i, x in enumerate(differences) for y in differences[i:])
    assert math.log(race.compare(differences).low or 1) == pytest.approx(walsh[29])


def test_a_single_wild_round_moves_the_estimate_little_and_the_mean_a_lot() -> None:
    differences = [0.05 + 0.001 * n for n in range(15)] + [3.0]
    assert race.compare(differences).ratio == pytest.approx(math.exp(0.058), rel=0.01)
    assert statistics.fmean(differences) > 0.2


@pytest.mark.parametrize("rounds", range(1, 6))
def test_fewer_than_six_rounds_give_no_interval_and_no_verdict(rounds: int) -> None:
    found = race.compare([1.0 + 0.01 * n for n in range(rounds)])
    assert found.low is None
    assert race.verdict(found, found.p, 0.0, MARGIN) == "inconclusive"
    assert race.geometric_mean([[1.0] * rounds])[1] is None


def test_verdicts_respect_the_margin_and_the_noise_floor() -> None:
    clear = race.Comparison(1.10, 1.08, 1.12, 1e-6, 16)
    assert race.verdict(clear, 1e-4, 0.02, MARGIN) == "slower"
    assert race.verdict(clear, 0.2, 0.02, MARGIN) == "inconclusive"
    assert race.verdict(clear, 1e-4, 0.15, MARGIN) == "inconclusive"
    assert race.verdict(clear, 1e-4, math.inf, MARGIN) == "inconclusive"
    assert race.verdict(race.Comparison(0.8, 0.78, 0.82, 1e-6, 16), 1e-4, 0.02, MARGIN) == "faster"
    assert race.verdict(race.Comparison(1.02, 1.015, 1.025, 1e-6, 16), 1e-4, 0.01, MARGIN) == "no difference"


def test_holm_is_monotone_and_at_most_one() -> None:
    adjusted = race.holm({("a", "x"): 0.01, ("b", "x"): 0.04, ("c", "x"): 0.9})
    assert adjusted == {
        ("a", "x"): pytest.approx(0.03),
        ("b", "x"): pytest.approx(0.08),
        ("c", "x"): pytest.approx(0.9),
    }
