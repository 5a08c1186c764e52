"""Swapped labels come first; what cannot be judged is left out."""

import numpy as np

from mobilenet.data_check import mislabelled


def made(swapped=6, each=40, seed=0):
  """(features, labels, places of the swapped ones) of three well-separated classes."""
  rng = np.random.default_rng(seed)
  true = np.repeat(np.arange(3), each)
  features = rng.normal(size=(len(true), 20)).astype(np.float32)
  features[np.arange(len(true)), true] += 4
  places = rng.choice(len(true), swapped, replace=False)
  labels = true.copy()
  labels[places] = (true[places] + 1) % 3
  return features, np.array(['ash', 'birch', 'cedar'])[labels], set(places.tolist())


def test_swapped_labels_come_first():
  features, labels, swapped = made()
  found = mislabelled.doubts(np.arange(len(labels)), features, labels)
  assert len(set(found.indexes[:8].tolist()) & swapped) >= 5
  assert set(found.indexes.tolist()) == set(range(len(labels)))
  assert np.all(np.diff(found.confidence) >= 0)
  assert 4 <= found.suspects <= 10
  first = found.indexes[0]
  true = ['ash', 'birch', 'cedar'][first // 40]
  assert found.likely[0] == true != labels[first]


def test_right_labels_are_not_suspected():
  features, labels, _ = made(swapped=0)
  found = mislabelled.doubts(np.arange(len(labels)), features, labels)
  assert found.suspects <= 2
  assert found.accuracy > 0.95


def test_small_classes_are_left_out():
  features, labels, _ = made()
  labels = labels.astype('U9')
  labels[:3] = 'dogwood'
  found = mislabelled.doubts(np.arange(len(labels)), features, labels)
  assert found.left_out == ('dogwood',)
  assert not {0, 1, 2} & set(found.indexes.tolist())
  assert mislabelled.doubts(np.arange(3), features[:3], labels[:3]) is None


def test_confident_learning_by_hand():
  """Class 1 is usually sure of itself with 0.6: photo 3 reaches that, photo 2 not."""
  probabilities = np.array(
    [[0.9, 0.1], [0.8, 0.2], [0.45, 0.55], [0.3, 0.7], [0.4, 0.6]]
  )
  labels = np.array([0, 0, 0, 0, 1])
  assert mislabelled.wrong(probabilities, labels).tolist() == [
    False,
    False,
    False,
    True,
    False,
  ]
