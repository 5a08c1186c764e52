"""Figures as objects, without pyplot: the process keeps its backend and settings."""

import io
import logging
import os
import pathlib
import warnings

from mobilenet.training import files

_DPI = 160
# Letters that matplotlib's own font lacks are looked for in these, where installed.
_FONTS = ('DejaVu Sans', 'Noto Sans CJK SC', 'Noto Sans CJK JP', 'Arial Unicode MS')


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
  from matplotlib import font_manager, text

  installed = set(font_manager.fontManager.get_font_names())
  fonts = [font for font in _FONTS if font in installed]
  for artist in figure.findobj(text.Text):
    artist.set_fontfamily(fonts)
  data = io.BytesIO()
  with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter('always')
    figure.savefig(data, format='png', dpi=_DPI)
  missing = False
  for warning in caught:
    if 'missing from' in str(warning.message):
      missing = True
    else:
      warnings.warn_explicit(
        warning.message, warning.category, warning.filename, warning.lineno
      )
  if missing:
    logging.getLogger(__name__).warning(
      '%s: no installed font has all letters of the class names; '
      'some are drawn as boxes',
      path,
    )
  return files.replace_file(path, data.getvalue())
