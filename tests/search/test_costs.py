"""What networks cost, exactly; and what is said of a cost that cannot be made."""

import dataclasses

import jax
import pytest

from mobilenet.models import counting, zoo
from mobilenet.models.initial import init_variables
from mobilenet.models.rows import ModelError
from mobilenet.search import costs
from mobilenet.search.costs import parts
from mobilenet.training.errors import TrainingError
from tests.search.conftest import NETWORKS

# Of each family, at a width where there are several; all that zoo has, with -m heavy.
FAMILIES = (
  'mobilenet_v1',
  'mobilenet_v2',
  'mobilenet_v3_small',
  'mobilenet_v4_hybrid_medium',
  'shufflenet_v2',
  'squeezenet_1_1',
  'alexnet',
)


def names():
  others = set(zoo.NETWORKS) - set(FAMILIES)
  return [
    *FAMILIES,
    *(pytest.param(name, marks=pytest.mark.heavy) for name in sorted(others)),
  ]


@pytest.mark.parametrize('name', names())
def test_counts_are_those_of_the_whole_network(name):
  width = 0.5 if isinstance(zoo.NETWORKS[name], dict) else 0.75
  model = zoo.create(name, width=width, num_classes=7)
  network = model.network
  found = [
    costs.make(kind, 64, 7).predict([network])[0]
    for kind in ('parameters', 'multiply_adds')
  ]
  assert tuple(found) == counting.count(model, 64)


def test_bytes_are_those_of_parameters_and_statistics():
  network = NETWORKS['universal']
  model = parts.whole(network, 32, 4).model
  leaves = jax.tree.leaves(init_variables(model, (32, 32, 3), 0))
  cost = costs.make('bytes', 32, 4)
  assert cost.measure([network]) == [sum(leaf.nbytes for leaf in leaves)]


def test_a_row_is_traced_once(monkeypatch):
  """Two networks that differ in their last row share the count of the others."""
  network = NETWORKS['inverted']
  last = dataclasses.replace(network.rows[-1], out=40)
  other = dataclasses.replace(network, rows=(*network.rows[:-1], last))
  traced = []
  count = counting.layers_and_variables
  monkeypatch.setattr(
    counting,
    'layers_and_variables',
    lambda *given: traced.append(given) or count(*given),
  )
  cost = costs.make('multiply_adds', 40, 3)
  cost.predict([network])
  assert len(traced) == len(network.rows) + 1
  cost.predict([other, network, other])
  assert len(traced) == len(network.rows) + 1 + 2  # the last row, and its head


def test_equal_rows_are_equal_however_they_were_written():
  """A width multiplier, a ratio that rounds, a residual that cannot be."""
  named = zoo.create('mobilenet_v3_small', width=0.5, num_classes=4).network
  written = parts.written_out(named)
  assert written.width == 1
  assert parts.of(named, 64, 4) == parts.of(written, 64, 4)


def test_exact_costs_have_nothing_to_fit():
  cost = costs.make('parameters', 32, 4)
  networks = list(NETWORKS.values())[:2]
  found = cost.fit(networks)
  assert (found.a, found.b, found.max_error) == (1, 0, 0)
  assert cost.predict(networks) == cost.measure(networks)
  assert cost.predict([]) == []


@pytest.mark.parametrize(
  ('kind', 'given', 'said'),
  [
    ('miliseconds', {}, 'did you mean milliseconds?'),
    ('roofline:pixel6', {}, 'did you mean pixel6_cpu'),
    ('roofline:pixel8_edgetpu', {}, 'is not offered'),
    ('milliseconds', {}, 'needs a folder'),
    ('csv', {}, '--table=phone.csv'),
    ('bytes', {'table': 'phone.csv'}, 'takes no --table'),
    ('bytes', {'resolution': 0}, 'resolution of a cost is 0'),
    ('bytes', {'lowerin': 'auto'}, 'did you mean lowering?'),
    ('bytes', {'lowering': 'fast'}, "the style lowering 'fast' is unknown"),
  ],
)
def test_what_cannot_be_made_is_one_line(kind, given, said):
  with pytest.raises(TrainingError) as found:
    costs.make(kind, **given)
  assert said in str(found.value)
  assert '\n' not in str(found.value)


def test_what_no_row_says_is_refused(tmp_path):
  """Rows that a search cannot change, under a width multiplier."""
  network = zoo.create('resnet50', width=0.5).network
  cost = costs.make('bytes', 32, 4)
  with pytest.raises(ModelError, match='only networks of width 1'):
    cost.write_wanted([network], tmp_path / 'wanted.csv')
