"""The report as PDF: one sheet for a mayor, maps drawn, nothing asked of the network."""

from __future__ import annotations

import builtins
import io
import socket
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from test_report import EVIL, MadeUp, made_up, run_info  # noqa: F401

from scenarios import report_pdf
from scenarios.cli import main
from scenarios.report import write_report
from twin.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

    from pypdf import PdfReader

try:
    report_pdf.check_pdf()
    MISSING = ""
except InputError as error:
    MISSING = str(error)
needs_pango = pytest.mark.skipif(bool(MISSING), reason=MISSING or "-")


@pytest.fixture(scope="module", params=["en", "de"])
def laid_out(
    request: pytest.FixtureRequest,
    made_up: MadeUp,  # noqa: F811
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[str, Any]:
    """Its language, and the sheets as `write_pdf` lays them out."""
    page = tmp_path_factory.mktemp("pdf") / "report.html"
    write_report([made_up], page, title=f"A town {EVIL}", language=request.param)  # type: ignore[list-item]
    text = report_pdf._fitted(report_pdf.printable(page.read_text(encoding="utf-8")))
    return request.param, report_pdf._document(text).render()


@pytest.fixture(scope="module")
def printed(laid_out: tuple[str, Any]) -> tuple[str, PdfReader]:
    """Its language, and the PDF."""
    from pypdf import PdfReader

    language, sheets = laid_out
    return language, PdfReader(io.BytesIO(sheets.write_pdf()))


def text_of(page: Any) -> str:
    return " ".join(page.extract_text().replace("-\n", "").split())


@needs_pango
def test_the_first_page_is_one_sheet_with_what_a_mayor_needs(
    printed: tuple[str, PdfReader],
) -> None:
    language, pdf = printed
    first, second = (text_of(page) for page in pdf.pages[:2])
    needed = {
        "en": ("What was compared", "most for the better with", "most for the worse with",
               "not calibrated to counts", "The key numbers", "with key = True"),
        "de": ("Was verglichen wurde", "die stärkste Verbesserung bringt", "nicht an Zählungen",
               "Die wichtigsten Kenngrößen", "mit key = True"),
    }[language]  # fmt: skip
    for words in needed:
        assert words in first
    assert needed[0] not in second
    assert needed[-1] not in second
    assert EVIL in first  # as text


@needs_pango
def test_two_comparisons_still_begin_with_one_sheet(made_up: MadeUp, tmp_path: Path) -> None:  # noqa: F811
    page = write_report([made_up, made_up], tmp_path / "r.html", title="A", language="de")  # type: ignore[list-item]
    text = report_pdf._fitted(report_pdf.printable(page.read_text(encoding="utf-8")))
    first = text[: text.index("</section>")]
    assert len(report_pdf._document(f"{first}</section></main></body></html>").render().pages) == 1


@needs_pango
@pytest.mark.parametrize("code", ["en", "de"])
def test_all_that_makes_results_doubtful_still_fits_the_first_sheet(
    made_up: MadeUp, tmp_path: Path, code: str  # noqa: F811
) -> None:  # fmt: skip
    measure = {"kind": "lanes", "describe": "Mannerheimintie with 1 lane a direction, all day"}
    more: dict[str, Any] = {
        "demand": {"scale": 0.5, "digest": "deadbeef"}, "base_measures": [measure] * 12,
    }  # fmt: skip
    runs = [
        run_info(tmp_path, n, f"The {n} with a title of its own")
        for n in ("base", *(r.name for r in made_up.alternatives))
    ]
    for k, run in enumerate(runs):
        jams = pd.DataFrame({"indicator": ["passed_jams"], "value": [float(k % 2)]})
        jams.to_parquet(run.replication(1) / "indicators.parquet")
    base, *rest = (replace(run, manifest={**run.manifest, **more}) for run in runs)
    page = write_report(
        [replace(made_up, base=base, alternatives=rest)], tmp_path / "r.html", title="A",  # type: ignore[list-item]
        language=code,
    )  # fmt: skip
    text = report_pdf._fitted(report_pdf.printable(page.read_text(encoding="utf-8")))
    first = text[: text.index("</section>")]
    for said in {"en": ("0.5 times", "already holds", "past a gridlock", "cut off"),
                 "de": ("0,5-Fachen", "enthält bereits", "Blockade", "ohne möglichen Weg:")}[code]:  # fmt: skip
        assert said in first
    assert len(report_pdf._document(f"{first}</section></main></body></html>").render().pages) == 1


@needs_pango
def test_pages_are_upright_a4_and_not_too_many(printed: tuple[str, PdfReader]) -> None:
    _, pdf = printed
    assert 8 <= len(pdf.pages) <= 40
    for page in pdf.pages:
        width, height = (float(v) / 72.0 * 25.4 for v in page.mediabox[2:])
        assert (round(width), round(height)) == (210, 297)


@needs_pango
def test_maps_are_drawn_on_the_first_page_and_after(printed: tuple[str, PdfReader]) -> None:
    _, pdf = printed
    drawn = [page.get_contents().get_data().count(b" l\n") for page in pdf.pages]
    assert drawn[0] > 200  # of streets that differ
    assert sum(n > 200 for n in drawn) > 5


@needs_pango
def test_nothing_printed_is_cut_off(laid_out: tuple[str, Any]) -> None:
    from weasyprint.formatting_structure.boxes import TextBox

    margin, right = (mm / 25.4 * 96.0 for mm in (13.9, 210.0 - 13.9))
    n = 0
    for sheet in laid_out[1].pages:
        for box in sheet._page_box.descendants():
            if isinstance(box, TextBox) and box.text.strip():
                n += 1
                assert margin <= box.position_x, box.text
                assert box.position_x + box.width <= right, box.text
    assert n > 2000


@needs_pango
def test_a_pdf_asks_nothing_of_the_network(tmp_path: Path) -> None:
    page = tmp_path / "r.html"
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        asked = f"http://127.0.0.1:{server.getsockname()[1]}/a.png"
        style = f"<style>body {{ background: url({asked}) }}</style>"
        page.write_text(f"<html><head>{style}</head><body><img src='{asked}'>A</body></html>")
        assert report_pdf.write_pdf(page).read_bytes().startswith(b"%PDF")
        with pytest.raises(BlockingIOError):
            server.accept()


@pytest.mark.parametrize(
    ("raised", "told"),
    [(ImportError("no"), "pip install 'stadtzwilling"), (OSError("no"), "apt-get install")],
)
def test_what_pdf_needs_and_misses_is_told_in_one_line(
    raised: Exception, told: str, ran: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    real = builtins.__import__

    def without(name: str, *args: Any, **more: Any) -> Any:
        if name.partition(".")[0] == "weasyprint":
            raise raised
        return real(name, *args, **more)

    for name in [n for n in sys.modules if n.partition(".")[0] == "weasyprint"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(SystemExit) as left:
        main(["compare", str(ran), "-o", str(tmp_path / "out"), "--pdf"])
    said = " ".join(capsys.readouterr().err.split())
    assert left.value.code != 0
    assert told in said
    assert "report.html from a browser" in said
    assert not (tmp_path / "out").exists()
