"""Figures are written with letters that some font has, never with empty boxes."""

import warnings

import pytest

from mobilenet.reports import canvas

RARE = '\U0010a60a'  # Linear A, which few machines can draw


@pytest.fixture
def one_font(monkeypatch):
  """A machine with matplotlib's own font and no other."""
  own = canvas._letters(canvas._FONT)
  monkeypatch.setattr(
    canvas, '_letters', lambda family: own if family == canvas._FONT else frozenset()
  )
  canvas._fonts.cache_clear()
  yield
  canvas._fonts.cache_clear()


def test_names_that_no_font_can_write_are_numbers(one_font):
  names = ['rose', 'Ünïcödé', '玫瑰', RARE, 'a\nb']
  assert canvas.drawable(names) == ['rose', 'Ünïcödé', '#2', '#3', 'a\nb']


def test_a_font_that_has_the_letters_is_found(monkeypatch):
  letters = {canvas._FONT: frozenset('abc'), 'Other': frozenset('玫x')}
  monkeypatch.setattr(canvas, '_letters', lambda f: letters.get(f, frozenset()))
  from matplotlib import font_manager

  monkeypatch.setattr(
    font_manager.fontManager, 'get_font_names', lambda: ['Third', 'Other']
  )
  canvas._fonts.cache_clear()
  assert canvas._fonts(frozenset('玫')) == (canvas._FONT, 'Other')
  assert canvas.drawable(['a玫', 'a瑰']) == ['a玫', '#1']
  canvas._fonts.cache_clear()


def test_a_picture_is_written_without_a_warning_whatever_its_text(one_font, tmp_path):
  figure = canvas.new_figure(2, 1)
  figure.suptitle(f'run {RARE}')
  with warnings.catch_warnings():
    warnings.simplefilter('error')
    path = canvas.save_png(figure, tmp_path / 'a.png')
  assert path.read_bytes()[:4] == b'\x89PNG'
  assert figure.get_suptitle() == 'run ?'


def test_looking_for_a_font_is_silent(caplog, tmp_path):
  """matplotlib would log which font it takes instead, a line for each."""
  canvas._fonts.cache_clear()
  canvas._letters.cache_clear()
  figure = canvas.new_figure(2, 1)
  figure.suptitle('玫瑰 وردة')
  canvas.save_png(figure, tmp_path / 'a.png')
  canvas.drawable(['玫瑰', 'وردة'])
  assert caplog.records == []
