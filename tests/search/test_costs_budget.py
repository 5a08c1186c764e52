"""Budgets as people type them."""

import pytest

from mobilenet.search import costs
from mobilenet.training.errors import TrainingError


@pytest.mark.parametrize(
  ('text', 'unit', 'of_2000'),
  [
    ('0.7x', 'ms', 1400),
    ('0.5 x', 'bytes', 1000),
    ('5.2 ms', 'ms', 5.2),
    ('5.2ms', 'ms', 5.2),
    ('1e-1 ms', 'ms', 0.1),
    ('150 M multiply-adds', 'multiply-adds', 150e6),
    ('1.2 G multiply-adds', 'multiply-adds', 1.2e9),
    ('2.1 M  parameters', 'parameters', 2.1e6),
    ('2100000 parameters', 'parameters', 2.1e6),
    ('4 MB', 'bytes', 4e6),
    ('800 kB', 'bytes', 8e5),
  ],
)
def test_read(text, unit, of_2000):
  assert costs.parse_budget(text, unit).of(2000.0) == pytest.approx(of_2000, rel=1e-12)


@pytest.mark.parametrize(
  ('text', 'unit', 'said'),
  [
    ('5.2 ms', 'multiply-adds', "type '150 M multiply-adds'"),
    ('5.2 ms', 'multiply-adds', 'is in ms, and what is counted here is multiply-adds'),
    ('150 M multiply-adds', 'ms', "type '5.2 ms'"),
    ('4 MB', 'parameters', "type '2.1 M parameters'"),
    ('5.2', 'ms', "has no unit: type '5.2 ms'"),
    ('5200 us', 'ms', "unknown unit: type '5.2 ms'"),
    ('4 mb', 'bytes', "unknown unit: type '4 MB'"),
    ('0 ms', 'ms', 'above zero'),
    ('0x', 'ms', 'above zero'),
    ('-3 ms', 'ms', 'above zero'),
    ('nan ms', 'ms', 'above zero and finite'),
    ('inf ms', 'ms', 'above zero and finite'),
    ('5,2 ms', 'ms', 'does not begin with a number'),
    ('fast', 'ms', 'does not begin with a number'),
    ('', 'ms', 'does not begin with a number'),
  ],
)
def test_refused_with_what_to_type(text, unit, said):
  with pytest.raises(TrainingError) as found:
    costs.parse_budget(text, unit)
  assert said in str(found.value)
  assert repr(text) in str(found.value)
  assert "'0.7x'" in str(found.value)
  assert '\n' not in str(found.value)
