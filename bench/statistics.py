"""From rounds to verdicts: paired, rank-based, and sceptical.

The unit of replication is the round, never the sample: samples of one process agree with each other far
better than processes do, and pooling them called identical code different in 9 to 16 % of races (in order)
to 73 % (one loop after the other). Numbers in, numbers out; nothing here knows of loops or files.
"""

from __future__ import annotations

import functools
import math
import random
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

LEVEL = 0.05
"""Of every interval (95 %) and of every family of verdicts (Holm)."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """An arm against the reference on one workload: time ratio, below 1 is faster.

    `low` and `high` are None where the rounds are too few for a 95 % interval (fewer than six).
    """

    ratio: float
    low: float | None
    high: float | None
    p: float
    rounds: int

    @property
    def floor(self) -> float:
        """How far from 1 the interval reaches, as |log|: for an A/A arm, the noise floor."""
        if self.low is None or self.high is None:
            return math.inf
        return max(abs(math.log(self.low)), abs(math.log(self.high)))

    @property
    def excludes_one(self) -> bool:
        return self.low is not None and self.high is not None and (self.low > 1 or self.high < 1)


def round_difference(arm: Sequence[float], reference: Sequence[float]) -> float:
    """One round's log-ratio: the median over its samples, taken alternately."""
    return statistics.median(math.log(x / y) for x, y in zip(arm, reference, strict=True))


def compare(differences: Sequence[float]) -> Comparison:
    """Hodges-Lehmann estimate and Wilcoxon's interval over rounds' log-ratios."""
    count = len(differences)
    walsh = sorted((x + y) / 2 for i, x in enumerate(differences) for y in differences[i:])
    low = high = None
    if (cut := _critical(count)) is not None:
        low, high = math.exp(walsh[cut]), math.exp(walsh[-1 - cut])
    return Comparison(math.exp(statistics.median(walsh)), low, high, p_value(differences, walsh), count)


def p_value(differences: Sequence[float], walsh: Sequence[float]) -> float:
    """Twice the smaller of Wilcoxon's signed-rank p and Student's paired p (Bonferroni over the two).

    Wilcoxon's alone cannot get below 2 ** (1 - rounds): with the six rounds of a quick race Holm's
    correction could then never find anything, not even a factor of two. Student's alone is blind as soon
    as one round was hit by a neighbour.
    """
    if len(differences) < 2:
        return 1.0
    return min(1.0, 2 * min(_wilcoxon(len(differences), walsh), _student(differences)))


def holm(p_values: Mapping[tuple[str, str], float]) -> dict[tuple[str, str], float]:
    """Adjusted p-values: below LEVEL means significant with the whole family in view."""
    adjusted: dict[tuple[str, str], float] = {}
    highest, left = 0.0, len(p_values)
    for key, p in sorted(p_values.items(), key=lambda item: item[1]):
        highest = max(highest, min(1.0, p * left))
        adjusted[key] = highest
        left -= 1
    return adjusted


def verdict(comparison: Comparison, p_adjusted: float, noise: float, margin: float) -> str:
    """`faster`, `slower`, `no difference` or `inconclusive`.

    A difference counts when it is significant in the family, larger than `margin` (log) and larger than what
    the reference differed from itself in the same rounds (`noise`, |log|). Asking it to exceed the A/A interval's far
    end would count the noise twice, once in the arm's own interval: quick races then found 10 % in a third of cells.
    `no difference` is a finding of its own: the whole interval lies within the margin.
    """
    if comparison.low is None or comparison.high is None:
        return "inconclusive"
    effect = math.log(comparison.ratio)
    if comparison.excludes_one and p_adjusted < LEVEL and abs(effect) > max(margin, noise):
        return "faster" if effect < 0 else "slower"
    if comparison.floor <= margin:
        return "no difference"
    return "inconclusive"


def ratio_of_ratios(old: Comparison, new: Comparison) -> Comparison:
    """What a loop's ratio became from one race to another; no interval if one of the two has none.

    Half-widths of the logarithms add in quadrature. p is Student's for the rounds of the smaller race, on the
    half-width that points at 1; so it is below LEVEL exactly where the interval leaves 1 out.
    """
    centre, rounds = math.log(new.ratio / old.ratio), min(old.rounds, new.rounds)
    if old.low is None or old.high is None or new.low is None or new.high is None:
        return Comparison(math.exp(centre), None, None, 1.0, rounds)
    below = math.hypot(math.log(new.ratio / new.low), math.log(old.high / old.ratio))
    above = math.hypot(math.log(new.high / new.ratio), math.log(old.ratio / old.low))
    reach = below if centre > 0 else above
    p = _student_tail(_t_quantile(rounds - 1) * abs(centre) / reach, rounds - 1) if reach else float(centre == 0)
    return Comparison(math.exp(centre), math.exp(centre - below), math.exp(centre + above), p, rounds)


def geometric_mean(
    differences: Sequence[Sequence[float]], resamples: int = 1000
) -> tuple[float, float | None, float | None]:
    """Ratio over several workloads, with its interval by resampling rounds.

    `differences[w][r]` is workload w's log-ratio in round r. Rounds are resampled whole, because the workloads of
    a round share their processes' parents and their neighbours' load. Percentile intervals of few
    values are too narrow; the percentiles are widened for that as Hesterberg (2015) proposes.
    """
    rounds = [statistics.fmean(column) for column in zip(*differences, strict=True)]
    count = len(rounds)
    centre = math.exp(_hodges_lehmann(rounds))
    if count < 6:
        return centre, None, None
    draw = random.Random(count).choices
    means = sorted(_hodges_lehmann(draw(rounds, k=count)) for _ in range(resamples))
    tail = statistics.NormalDist().cdf(-math.sqrt(count / (count - 1)) * _t_quantile(count - 1))
    cut = int(tail * resamples)
    return centre, math.exp(means[cut]), math.exp(means[-1 - cut])


def _hodges_lehmann(values: Sequence[float]) -> float:
    # A summary takes tens of thousands of these after each round; statistics.median would double their time.
    ordered = sorted(values)
    sums = sorted([x + y for i, x in enumerate(ordered) for y in ordered[i:]])
    middle = len(sums) // 2
    return sums[middle] / 2 if len(sums) % 2 else (sums[middle - 1] + sums[middle]) / 4


@functools.cache
def _rank_sums(count: int) -> tuple[float, ...]:
    """P(W <= w) for Wilcoxon's signed-rank sum of `count` values, w from 0."""
    ways = [1]
    for rank in range(1, count + 1):
        longer = ways + [0] * rank
        for index, number in enumerate(ways):
            longer[index + rank] += number
        ways = longer
    total, running, answer = 2**count, 0, []
    for number in ways:
        running += number
        answer.append(running / total)
    return tuple(answer)


@functools.cache
def _critical(count: int) -> int | None:
    """How many Walsh averages to leave out at each end of a 95 % interval; None if none is wide enough."""
    cut = None
    for index, probability in enumerate(_rank_sums(count)):
        if 2 * probability > LEVEL:
            break
        cut = index
    return cut


def _wilcoxon(count: int, walsh: Sequence[float]) -> float:
    """Two-sided p of the signed-rank test; a Walsh average of exactly zero counts against the finding."""
    above = sum(value > 0 for value in walsh)
    below = sum(value < 0 for value in walsh)
    smaller = len(walsh) - max(above, below)
    return min(1.0, 2 * _rank_sums(count)[smaller])


def _student(differences: Sequence[float]) -> float:
    spread = statistics.stdev(differences)
    mean = statistics.fmean(differences)
    if spread == 0:
        return 1.0 if mean == 0 else 0.0
    freedom = len(differences) - 1
    return _student_tail(mean / (spread / math.sqrt(len(differences))), freedom)


def _student_tail(t: float, freedom: int) -> float:
    """P(|T| > |t|) for Student's T."""
    return _beta_tail(freedom / (freedom + t * t), freedom / 2)


@functools.cache
def _t_quantile(freedom: int) -> float:
    """Student's 97.5 % point, by bisection."""
    low, high = 0.0, 200.0
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if _student_tail(middle, freedom) > LEVEL else (low, middle)
    return low


def _beta_tail(x: float, a: float, b: float = 0.5) -> float:
    """The regularised incomplete beta function I_x(a, b), by Lentz's continued fraction."""
    if x <= 0 or x >= 1:
        return min(max(x, 0.0), 1.0)
    if x > (a + 1) / (a + b + 2):
        return 1 - _beta_tail(1 - x, b, a)
    front = math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x))
    tiny = 1e-300
    c, d = 1.0, 1 / ((1 - (a + b) * x / (a + 1)) or tiny)
    value = d
    for m in range(1, 400):
        for numerator in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1 / ((1 + numerator * d) or tiny)
            c = (1 + numerator / c) or tiny
            value *= c * d
        if abs(c * d - 1) < 1e-13:
            break
    return front * value / a
