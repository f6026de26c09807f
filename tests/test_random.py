"""Random numbers: the cipher's known answers, and what independence of order means."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from twin.errors import InputError
from twin.random import Stream, philox, philox_normal, philox_uniform

ONES = 2**64 - 1
PI = (0x243F6A8885A308D3, 0x13198A2E03707344, 0xA4093822299F31D0, 0x082EFA98EC4E6C89)
PI_KEY = (0x452821E638D01377, 0xBE5466CF34E90C6C)

# Random123 1.14, tests/kat_vectors, philox4x64 10
KNOWN = [
    (
        (0, 0, 0, 0),
        (0, 0),
        (0x16554D9ECA36314C, 0xDB20FE9D672D0FDC, 0xD7E772CEE186176B, 0x7E68B68AEC7BA23B),
    ),
    (
        (ONES,) * 4,
        (ONES,) * 2,
        (0x87B092C3013FE90B, 0x438C3C67BE8D0224, 0x9CC7D7C69CD777B6, 0xA09CAEBF594F0BA0),
    ),
    (
        PI,
        PI_KEY,
        (0xA528F45403E61D95, 0x38C72DBD566E9788, 0xA5A1610E72FD18B5, 0x57BD43B5E52B7FE6),
    ),
]
words = st.integers(0, ONES)


@pytest.mark.parametrize(("counter", "key", "answer"), KNOWN)
def test_philox_gives_the_known_answers(counter, key, answer) -> None:
    assert philox(*map(np.uint64, key), *map(np.uint64, counter)) == answer


@given(words, words, st.tuples(st.integers(0, ONES - 1), words, words, words))
def test_philox_agrees_with_numpy(key0: int, key1: int, counter: tuple[int, ...]) -> None:
    peer = np.random.Philox(
        key=np.array([key0, key1], np.uint64), counter=np.array(counter, np.uint64)
    )
    ours = philox(*map(np.uint64, (key0, key1, counter[0] + 1, *counter[1:])))
    assert tuple(peer.random_raw(4)) == ours  # NumPy counts up before each block


@given(st.lists(st.integers(-(2**62), 2**62), min_size=1, max_size=30), st.randoms())
def test_a_value_depends_on_its_own_entity_alone(entities: list[int], shuffler) -> None:
    stream = Stream(5, "demand")
    values = dict(zip(entities, stream.uniform(entities, draw=2, tick=7), strict=True))
    shuffled = entities[: len(entities) // 2 + 1]
    shuffler.shuffle(shuffled)
    for entity, value in zip(shuffled, stream.uniform(shuffled, draw=2, tick=7), strict=True):
        assert values[entity] == value
        assert stream.uniform(entity, draw=2, tick=7) == value


def test_compiled_scalars_equal_the_vectors() -> None:
    stream = Stream(11, "failures")
    for entity, tick, draw in ((0, 0, 0), (3, 9, 1), (2**40, 86_400, 7)):
        address = (*stream.key, entity, tick, draw)
        assert philox_uniform(*address) == stream.uniform(entity, draw, tick)
        assert philox_normal(*address) == stream.normal(entity, draw, tick)


def test_names_seeds_ticks_and_draws_give_other_numbers() -> None:
    entity = np.arange(1000)
    base = Stream(1, "a").uniform(entity)
    others = [
        Stream(2, "a").uniform(entity),
        Stream(1, "b").uniform(entity),
        Stream(1, "a").uniform(entity, draw=1),
        Stream(1, "a").uniform(entity, tick=1),
    ]
    for other in others:
        assert not np.any(base == other)
        assert abs(np.corrcoef(base, other)[0, 1]) < 0.12


def test_the_key_is_the_same_in_every_process() -> None:
    # golden: seed and the first 8 bytes of blake2b(b"demand"), little-endian
    assert Stream(3, "demand").key == (3, 16778719027321419849)


@pytest.mark.parametrize(
    ("method", "law"), [("uniform", "uniform"), ("normal", "norm"), ("exponential", "expon")]
)
def test_numbers_follow_their_law(method: str, law: str) -> None:
    values = getattr(Stream(2, "law"), method)(np.arange(50_000))
    assert stats.kstest(values, law).pvalue > 0.001


@pytest.mark.parametrize("mean", [1e-4, 0.3, 4.0, 75.0, 2500.0])
def test_poisson_numbers_follow_their_law(mean: float) -> None:
    values = Stream(2, "poisson").poisson(mean, np.arange(40_000))
    assert values.mean() == pytest.approx(mean, abs=4.0 * np.sqrt(mean / 40_000))
    if mean > 0.1:
        assert values.var() == pytest.approx(mean, rel=0.05)
    assert Stream(2, "poisson").poisson(0.0, 5) == 0


@given(st.floats(0.0, 2000.0), st.floats(0.0, 1.0), st.integers(0, 1000))
def test_fewer_expected_never_means_more_drawn(mean: float, part: float, entity: int) -> None:
    stream = Stream(4, "thinning")
    assert stream.poisson(mean * part, entity) <= stream.poisson(mean, entity)


def test_choice_follows_weights_and_never_takes_weight_zero() -> None:
    cumulative = np.cumsum([0.0, 1.0, 0.0, 3.0, 0.0])
    drawn = Stream(1, "choice").choice(cumulative, np.arange(20_000))
    assert set(drawn) == {1, 3}
    assert np.mean(drawn == 3) == pytest.approx(0.75, abs=0.01)


def test_what_cannot_be_drawn_is_refused() -> None:
    with pytest.raises(InputError, match="seed"):
        Stream(-1, "x")
    stream = Stream(0, "x")
    with pytest.raises(InputError, match="integers"):
        stream.uniform(np.array([0.5]))
    with pytest.raises(InputError, match="mean"):
        stream.poisson(-1.0, 0)
    for weights in ([], [0.0, 0.0], [2.0, 1.0]):
        with pytest.raises(InputError, match="cumulative"):
            stream.choice(np.array(weights), 0)
