"""Static files before a start: collected once, anew where they changed, and whole where the last time was cut off."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest
from django.contrib.staticfiles.finders import get_finders

from authweb import collecting


@pytest.fixture
def sheet(settings: Any, tmp_path: Path) -> Path:
    """A style sheet of this test's own among the others."""
    source = tmp_path / "source"
    source.mkdir()
    settings.STATICFILES_DIRS = [source]
    settings.DATA_DIR, settings.STATIC_ROOT = tmp_path, tmp_path / "collected"
    (source / "own.css").write_text("a {}")
    return source / "own.css"


def write(sheet: Path, text: str) -> None:
    """As a release does it: later than what was collected."""
    sheet.write_text(text)
    later = time.time() + 2
    os.utime(sheet, (later, later))


def collected(settings: Any) -> str:
    return (Path(settings.STATIC_ROOT) / "own.css").read_text()


def test_what_lies_there_as_it_is_now_is_not_collected_again(sheet: Path) -> None:
    assert [collecting.collect(), collecting.collect(), collecting.collect()] == [True, False, False]


def test_change_of_one_file_is_collected_be_it_of_one_size(sheet: Path, settings: Any) -> None:
    collecting.collect()

    write(sheet, "b {}")

    assert (collecting.collect(), collected(settings), collecting.collect()) == (True, "b {}", False)


def test_file_that_came_or_went_is_noticed(sheet: Path) -> None:
    collecting.collect()
    other = sheet.with_name("other.css")
    other.write_text("")
    came = collecting.collect()
    other.unlink()

    assert (came, collecting.collect()) == (True, True)


def test_what_was_taken_from_the_collected_ones_is_put_back(sheet: Path, settings: Any) -> None:
    collecting.collect()

    (Path(settings.STATIC_ROOT) / "own.css").unlink()

    assert (collecting.collect(), collected(settings)) == (True, "a {}")


def test_nothing_beside_the_files_is_served(sheet: Path, settings: Any) -> None:
    collecting.collect()

    root = Path(settings.STATIC_ROOT)
    assert {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()} == {
        path for finder in get_finders() for path, _storage in finder.list([])
    }


def test_other_way_of_packing_is_noticed(sheet: Path, settings: Any) -> None:
    collecting.collect()

    packed = {"BACKEND": "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"}
    settings.STORAGES = {**settings.STORAGES, "staticfiles": packed}

    assert collecting.collect()
    assert (Path(settings.STATIC_ROOT) / "staticfiles.json").is_file()


def test_what_was_cut_off_is_collected_whole(sheet: Path, settings: Any) -> None:
    collecting.collect()
    own = Path(settings.STATIC_ROOT) / "own.css"
    own.unlink()
    (own / "in the way").mkdir(parents=True)
    write(sheet, "b {}")
    with pytest.raises(OSError, match="not empty"):
        collecting.collect()
    (own / "in the way").rmdir()
    write(sheet, "a {}")  # As it was when all was well.

    assert (collecting.collect(), collected(settings)) == (True, "a {}")
