"""Figures: what is on them, and that they are PNGs of a sane size."""

import struct
import subprocess
import sys

import numpy as np
import pytest

from mobilenet.tasks.classification import figures
from mobilenet.training.errors import TrainingError


def png_size(path):
  data = path.read_bytes()
  assert data[:8] == b'\x89PNG\r\n\x1a\n'
  width, height = struct.unpack('>II', data[16:24])
  assert 300 <= width <= 2400
  assert 150 <= height <= 2400
  return width, height


def texts(axes):
  return [text.get_text() for text in axes.texts]


def test_confusion_of_two_classes_has_counts_in_cells(tmp_path):
  matrix = [[90, 10], [1, 1199]]
  figure = figures.draw_confusion(matrix, ['healthy', 'ill'])
  axes, bar = figure.axes
  assert texts(axes) == ['90', '10', '1', '1,199']
  np.testing.assert_allclose(axes.images[0].get_array()[0], [90, 10])
  assert axes.get_title(loc='left') == '1,289 of 1,300 right (99.15 %)'
  assert axes.get_xlabel() == 'Predicted class'
  assert [t.get_text() for t in axes.get_yticklabels()] == ['healthy', 'ill']
  assert bar.get_ylabel() == 'Share of the true class (%)'
  # Legible on its ground: white on dark, dark on light.
  assert axes.texts[0].get_color() == 'white'
  assert axes.texts[1].get_color() != 'white'
  png_size(figures.confusion(matrix, ['healthy', 'ill'], tmp_path / 'c.png'))


def test_confusion_of_many_classes_lists_the_mistakes_in_words(tmp_path):
  matrix = 50 * np.eye(102, dtype=int)
  matrix[3, 7], matrix[90, 2] = 10, 25
  names = [f'species number {i}' for i in range(102)]
  figure = figures.draw_confusion(matrix, names)
  axes = figure.axes[0]
  assert texts(axes) == []
  assert len(axes.get_xticklabels()) == len(axes.get_yticklabels()) == 34
  words = figure.texts[-1].get_text()
  assert words.startswith('species number 90 → species number 2\n    25 (33 % of')
  assert 'species number 3 → species number 7' in words
  png_size(figures.confusion(matrix, names, tmp_path / 'c.png'))


def test_no_confusion_gets_lost_between_the_pixels_of_1000_classes():
  matrix = 50 * np.eye(1001, dtype=int)
  matrix[700, 100] = 50
  figure = figures.draw_confusion(matrix, [f'n{i:08d}' for i in range(1001)])
  shares = figure.axes[0].images[0].get_array()
  assert shares.shape == (201, 201)
  assert shares[140, 20] == pytest.approx(50)
  assert shares.max() == pytest.approx(100)
  assert len(figure.axes[0].get_xticklabels()) <= 40
  assert '5 × 5' in figure.axes[0].get_title(loc='left')


def test_class_without_examples_is_a_masked_row_and_long_names_are_cut():
  figure = figures.draw_confusion([[5, 0], [0, 0]], ['x' * 40, 'y'])
  axes = figure.axes[0]
  assert np.ma.getmaskarray(axes.images[0].get_array()).tolist() == [
    [False, False],
    [True, True],
  ]
  assert axes.get_xticklabels()[0].get_text() == 'x' * 17 + '…'


def test_mistakes_grid(tmp_path):
  rng = np.random.default_rng(0)
  sizes = [(8, 8), (6, 9), (40, 30), (8, 8), (8, 8), (8, 8), (100, 7)]
  images = [rng.integers(0, 256, (*size, 3), np.uint8) for size in sizes]
  title = figures.mistake_title('daisy', 't' * 40, 0.981, '/photos/val/daisy/7.jpg')
  assert title == f'true: daisy\npredicted: {"t" * 16}…\nat 98.1 %\n7.jpg'
  figure = figures.draw_mistakes(images, [title] * 7)
  assert len(figure.axes) == 10
  assert sum(len(axes.images) for axes in figure.axes) == 7
  assert figure.axes[6].get_title(loc='left') == title
  for axes, image in zip(figure.axes, images, strict=False):
    np.testing.assert_array_equal(axes.images[0].get_array(), image)
  png_size(figures.mistakes(images, [title] * 7, tmp_path / 'm.png'))


def test_no_mistakes(tmp_path):
  path = figures.mistakes([], [], tmp_path / 'm.png')
  assert png_size(path)[0] > 300
  with pytest.raises(ValueError, match='1 images but 2 titles'):
    figures.draw_mistakes(np.zeros((1, 4, 4, 3), np.uint8), ['a', 'b'])


def test_full_disk_is_one_line(tmp_path):
  (tmp_path / 'file').write_text('')
  with pytest.raises(TrainingError, match='a file is where a folder must be'):
    figures.mistakes(
      np.zeros((1, 4, 4, 3), np.uint8), ['a'], tmp_path / 'file' / 'm.png'
    )


def test_the_backend_of_the_process_is_left_alone(tmp_path):
  code = (
    'import sys; from mobilenet.tasks.classification import figures\n'
    "assert 'matplotlib' not in sys.modules\n"
    f"figures.confusion([[1, 0], [0, 1]], 'ab', {str(tmp_path / 'c.png')!r})\n"
    'import matplotlib\n'
    "assert 'matplotlib.pyplot' not in sys.modules\n"
    'assert not matplotlib.get_backend(auto_select=False)\n'
    'assert matplotlib.rcParams == matplotlib.rcParamsOrig\n'
  )
  done = subprocess.run(
    [sys.executable, '-W', 'error', '-c', code], capture_output=True, text=True
  )
  assert (done.returncode, done.stderr) == (0, '')
