"""Words of a picture keep to their room: nothing lies on the compass or the line between panels."""

from __future__ import annotations

import pytest

from viz.caption import MARGIN, Caption, _shortened, _words, font

LONG = "Eine Spur weniger auf der Retzer Bundesstraße und der Ringstraße, ab 7:10 bis 7:40 " * 3
SIZES = [(1920, 1080), (3840, 2160), (1280, 720)]


@pytest.mark.parametrize("size", SIZES)
def test_titles_of_two_panels_keep_off_the_compass_and_the_line(size: tuple[int, int]) -> None:
    caption = Caption(LONG, LONG, labels=(LONG, LONG), warning=LONG)
    unit, middle = size[1] / 1080.0, size[0] / 2.0
    first, second, title, _ = [box for box, _ in _words(size, caption, MARGIN * unit)]
    assert first[2] < middle < second[0]
    assert title[2] < middle
    assert second[2] <= size[0]
    compass = (size[0] - 226 * unit, 20 * unit, size[0] - 34 * unit, 180 * unit)
    for box in (first, second, title):
        assert box[2] <= compass[0] or box[1] >= compass[3]
    assert title[3] <= first[1]


def test_a_title_alone_keeps_off_the_clock() -> None:
    (_, title), *_ = [
        (k, box) for k, (box, _) in enumerate(_words((1920, 1080), Caption(LONG), MARGIN))
    ]
    clock = font(50, bold=True).getlength("00:00:00")
    assert title[2] < 1920 - 260 - clock - 60


def test_what_does_not_fit_ends_in_an_ellipsis() -> None:
    chosen, text = _shortened(LONG, 28, 400.0, bold=True)
    assert text.endswith("…")
    assert chosen.getlength(text) <= 400.0
    assert LONG.startswith(text[:-1])
    assert chosen.size == pytest.approx(28 * 2 / 3)
    assert _shortened("Base", 28, 400.0, bold=True) == (font(28, bold=True), "Base")
    assert _shortened("Base", 9.3, 200.0, bold=True) == (font(10.0, bold=True), "Base")
