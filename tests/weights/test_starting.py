"""Detectors and segmenters start from the weights of their trunk."""

import jax
import numpy as np
import pytest

from mobilenet.models import named, zoo
from mobilenet.models.initial import init_variables
from mobilenet.weights import starting
from mobilenet.weights.own_file import Weights, flatten
from mobilenet.weights.starting import trunk_from
from mobilenet.weights.weight_file import WeightsError

SIZE = (64, 64, 3)
OF_TRUNK = 'params/backbone/'


def variables(model, seed):
  return jax.tree.map(np.asarray, init_variables(model, SIZE, seed))


def weights_of(name, **options):
  model = {'name': name, 'width': 0.25, 'num_classes': 5, **options}
  return Weights('made.pth', model, variables(zoo.create(**model), 1), None, None)


def started(name, weights):
  """(what was loaded, what was drawn) of the trunk's arrays, and the others."""
  drawn = variables(named.create(name, num_classes=2, width=0.25), 2)
  found = flatten(trunk_from(weights, drawn))
  loaded, own = flatten(weights.variables), flatten(drawn)
  assert found.keys() == own.keys()
  taken = {n for n in found if n in loaded and np.array_equal(found[n], loaded[n])}
  kept = {n for n in found if np.array_equal(found[n], own[n])}
  assert taken | kept == found.keys()
  kernels = {n for n in found if n.endswith('kernel')}
  assert not taken & kept & kernels
  shapes = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, 'f'), drawn)
  told = starting.drawn_rows(weights, shapes)
  assert set(told) == {n.split('/')[2] for n in kernels - taken if OF_TRUNK in n}
  return taken & kernels, kernels - taken, told


@pytest.mark.parametrize(
  ('name', 'anew'),
  [
    # Its last convolution has 1,280 channels at any width in the classifier alone.
    ('ssdlite_mobilenet_v2', ('block_17',)),
    ('lraspp_mobilenet_v2', ()),
  ],
)
def test_the_whole_trunk_is_loaded_and_nothing_else(name, anew):
  taken, _, rows = started(name, weights_of('mobilenet_v2'))
  assert len(taken) > 50
  assert all(n.startswith(OF_TRUNK) for n in taken)
  assert rows == anew


def test_rows_that_the_detector_halves_begin_anew():
  weights = weights_of('mobilenet_v3_small')
  taken, _, rows = started('ssdlite_mobilenet_v3_small_reduced', weights)
  assert rows == ('block_08', 'block_09', 'block_10', 'block_11')
  # The first of them expands what comes in, which is as wide as it was.
  assert 'params/backbone/block_08/expand/conv/kernel' in taken


def test_another_trunk_is_named():
  drawn = variables(named.create('ssdlite_mobilenet_v2', num_classes=2), 2)
  with pytest.raises(WeightsError, match='the trunk of the config'):
    trunk_from(weights_of('mobilenet_v2'), drawn)  # of another width


def classed(*names):
  """Weights that name their classes; nothing else of them is read."""
  return Weights('made.pth', {}, {}, None, names or None)


def test_a_classifier_answers_for_its_own_classes():
  starting.check_classes(classed('ash', 'oak'), ('ash', 'oak'))
  starting.check_classes(classed('n01440764'), ('tench',))  # ImageNet's name of it
  # Nobody knows what they are.
  starting.check_classes(classed(), ('ash', 'oak'))
  starting.check_classes(classed('class 0', 'class 1'), ('ash', 'oak'))


@pytest.mark.parametrize(
  ('names', 'message'),
  [
    (('oak', 'ash'), 'than the data: the same in another order; give folders'),
    (('ash', 'elm'), 'data: only the weights have elm; only the data has oak; give'),
    (tuple('bcdef'), 'only the weights have b, c, d, ...; only the data has ash, oak;'),
  ],
)
def test_other_classes_are_named_in_one_line(names, message):
  with pytest.raises(WeightsError) as error:
    starting.check_classes(classed(*names), ('ash', 'oak'))
  (line,) = str(error.value).splitlines()
  assert message in line
  assert line.endswith('--config.new_head=true trains a new classifier on them')
