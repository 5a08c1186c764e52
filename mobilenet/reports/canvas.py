"""Figures as objects, without pyplot: the process keeps its backend and settings."""

import contextlib
import functools
import io
import logging
import os
import pathlib
from collections.abc import Sequence

import numpy as np

from mobilenet.training import files

_DPI = 160
_FONT = 'DejaVu Sans'  # comes with matplotlib


def new_figure(width: float, height: float):
  """An empty matplotlib Figure; sizes in inches."""
  from matplotlib.figure import Figure

  figure = Figure(figsize=(width, height), dpi=_DPI, layout='constrained')
  # The default of 3 points lets letters touch the border of the picture.
  figure.get_layout_engine().set(w_pad=0.09, h_pad=0.09)
  return figure


def save_png(figure, path: str | os.PathLike) -> pathlib.Path:
  """Writes a Figure as PNG, whole or not at all.

  Raises:
    TrainingError: the picture cannot be written.
  """
  return files.replace_file(path, png(figure))


def png(figure, dpi: int = _DPI) -> bytes:
  """A Figure as PNG; a letter that no installed font has becomes '?'."""
  from matplotlib import text
  from matplotlib.backends.backend_agg import FigureCanvasAgg
  from PIL import Image

  for artist in figure.findobj(text.Text):
    letters = _unusual(artist.get_text())
    artist.set_fontfamily(list(_fonts(letters)))
    for letter in letters - _written(letters):
      artist.set_text(artist.get_text().replace(letter, '?'))
  # `savefig` draws twice and keeps the alpha channel, which is 255 everywhere; without
  # it the least compression makes smaller files than the most.
  figure.set_dpi(dpi)
  drawn = FigureCanvasAgg(figure)
  with _quiet():
    drawn.draw()
  pixels = np.asarray(drawn.buffer_rgba())[..., :3]
  data = io.BytesIO()
  Image.fromarray(pixels).save(data, 'PNG', compress_level=1, dpi=(dpi, dpi))
  return data.getvalue()


@contextlib.contextmanager
def _quiet():
  """matplotlib logs which font stands in for another: no concern of the reader's."""
  log = logging.getLogger('matplotlib.font_manager')
  before = log.level
  log.setLevel(logging.ERROR)
  try:
    yield
  finally:
    log.setLevel(before)


def drawable(names: Sequence[str]) -> list[str]:
  """The names; one at place 3 that no installed font can write becomes '#3'.

  Letters that all fonts lack would be drawn as empty boxes.
  """
  drawn = []
  for place, name in enumerate(names):
    letters = _unusual(str(name))
    drawn.append(str(name) if letters == _written(letters) else f'#{place}')
  return drawn


def _unusual(text: str) -> frozenset[str]:
  """The letters of a text that matplotlib's own font lacks."""
  return frozenset(text) - _letters(_FONT) - {'\n'}


@functools.cache
def _fonts(letters: frozenset[str]) -> tuple[str, ...]:
  """matplotlib's own font, and installed ones that have some of the letters."""
  from matplotlib import font_manager

  families, missing = [_FONT], set(letters)
  for family in font_manager.fontManager.get_font_names() if missing else ():
    if found := missing & _letters(family):
      families.append(family)
      missing -= found
  return tuple(families)


def _written(letters: frozenset[str]) -> frozenset[str]:
  """Those of the letters that some font has."""
  return frozenset().union(*(letters & _letters(font) for font in _fonts(letters)))


@functools.cache
def _letters(family: str) -> frozenset[str]:
  from matplotlib import font_manager, ft2font

  try:
    with _quiet():
      path = font_manager.findfont(family, fallback_to_default=False)
    font = ft2font.FT2Font(path)
  except (OSError, RuntimeError, ValueError):
    return frozenset()  # listed, but it cannot be drawn with
  return frozenset(map(chr, font.get_charmap()))
