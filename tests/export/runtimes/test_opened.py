"""Batches of any size for files of one, and what a file says of itself."""

from collections import Counter

import numpy as np
import pytest

from mobilenet.export.errors import ExportError
from mobilenet.export.runtimes import opened


def of_batch(batch, calls):
  def run(images):
    calls.append(len(images))
    return {'logits': images.sum(axis=(1, 2))}

  shape = (2, 2, 3)
  return opened.Opened('fake', 'x.tflite', {}, shape, batch, Counter(), run)


@pytest.mark.parametrize(
  ('batch', 'calls'), [(None, [5]), (1, [1] * 5), (2, [2, 2, 2]), (8, [8])]
)
def test_images_go_in_as_many_at_once_as_the_file_takes(batch, calls):
  images, made = np.random.default_rng(0).random((5, 2, 2, 3), np.float32), []
  found = of_batch(batch, made).answers(images)
  np.testing.assert_allclose(found, images.sum(axis=(1, 2)))
  assert made == calls


def test_no_images_are_refused():
  with pytest.raises(ExportError, match='takes images of'):
    of_batch(1, []).answers(np.zeros((0, 2, 2, 3)))


@pytest.mark.parametrize('text', ['{', '[]', '{"origin": "x"}', '3'])
def test_broken_metadata_is_said(text):
  with pytest.raises(ExportError, match='broken metadata'):
    opened.said_of('x.onnx', text)
