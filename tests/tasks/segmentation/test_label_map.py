"""From logits to the pixels of a photo."""

import io

import numpy as np
from PIL import Image

from mobilenet.tasks.segmentation import label_map

LOGITS = 5 * np.eye(2)[np.array([[0, 1], [0, 1]])]


def test_what_was_squeezed_is_stretched():
  found = label_map.on_picture(LOGITS, (0, 0, 30, 80), (30, 80, 3))
  assert found.shape == (30, 80)
  assert (found[:, :38] == 0).all()
  assert (found[:, 42:] == 1).all()


def test_a_window_beyond_the_picture_is_cut_off():
  """Of padding nothing is left, and what was not seen is told."""
  found = label_map.on_picture(LOGITS, (0, 0, 100, 100), (40, 70, 3))
  assert (found[:, :48] == 0).all()
  assert (found[:, 52:] == 1).all()
  inside = label_map.on_picture(LOGITS, (10, 20, 20, 20), (40, 70, 3))
  assert (inside[10:30, 20:40] != label_map.NOWHERE).all()
  assert (inside == label_map.NOWHERE).sum() == 40 * 70 - 400


def test_a_mask_is_read_back_as_it_was():
  labels = np.array([[0, 1], [255, 2]], np.uint8)
  with Image.open(io.BytesIO(label_map.coloured(labels))) as image:
    np.testing.assert_array_equal(np.asarray(image), labels)
    assert (
      len({image.convert('RGB').getpixel((x, y)) for x in (0, 1) for y in (0, 1)}) == 4
    )


def test_a_picture_is_coloured_by_class():
  picture = np.full((2, 2, 3), 100, np.uint8)
  drawn = label_map.over(picture, np.array([[0, 0], [1, 255]], np.uint8))
  assert (drawn[0, 0] == drawn[0, 1]).all()
  assert (drawn[0, 0] != drawn[1, 0]).any()
  assert len(set(drawn[1, 1].tolist())) == 1  # grey
