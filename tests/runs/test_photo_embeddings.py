"""What is asked of a network: its method, a map, the mirrored photo."""

import flax.linen as nn
import numpy as np
import pytest

from mobilenet.runs import photo_embeddings
from mobilenet.training.errors import TrainingError


class Pixels(nn.Module):
  """Says of an image what its corners are, or gives a map as SqueezeNet does."""

  def __call__(self, images):
    return images[:, 0, 0]

  def embed(self, images):
    return images


@pytest.fixture
def images():
  return np.arange(2 * 4 * 4 * 3, dtype=np.float32).reshape(2, 4, 4, 3)


def test_an_embedder_is_asked_for_all_it_says(images):
  found = photo_embeddings._embedded(Pixels(), '__call__', False, {}, images)
  np.testing.assert_array_equal(found, images[:, 0, 0])


def test_the_mirrored_photo_is_added(images):
  found = photo_embeddings._embedded(Pixels(), '__call__', True, {}, images)
  np.testing.assert_array_equal(found, images[:, 0, 0] + images[:, 0, -1])


def test_a_map_is_averaged(images):
  found = photo_embeddings._embedded(Pixels(), 'embed', False, {}, images)
  np.testing.assert_allclose(found, images.mean(axis=(1, 2)))


def test_a_detector_has_none():
  with pytest.raises(TrainingError, match='runs/d is for detection, which has no emb'):
    photo_embeddings._method_of('detection', 'runs/d')


def test_very_many_numbers_are_not_written_as_text(tmp_path, monkeypatch, capsys):
  monkeypatch.setattr(photo_embeddings, '_MOST_CELLS', 5)
  written = photo_embeddings.write(
    tmp_path, ['a', 'b'], np.eye(2, 3), origin='a network', normalised=True
  )
  assert [path.name for path in written] == ['embeddings.npz']
  assert 'embeddings.csv is left out: 6 numbers' in capsys.readouterr().out
