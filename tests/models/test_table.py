"""Networks as text and back."""

import dataclasses

import pytest

from mobilenet.models import shapes, table, zoo
from mobilenet.models.rows import Conv, Head, Inverted, ModelError, Network, Style

SMALL = Network(
  rows=(Conv(3, 16, 2, 'hard_swish'), Inverted(5, 2.5, 24, se=0.25)),
  head=Head(32),
  divisor=4,
  style=Style(padding='torch', norm_epsilon=1e-5),
)


@pytest.mark.parametrize('name', zoo.NETWORKS)
def test_every_network_comes_back(name):
  widths = zoo.NETWORKS[name] if isinstance(zoo.NETWORKS[name], dict) else [1.0]
  network = zoo.create(name, width=min(widths)).network
  network = dataclasses.replace(network, width=1.0)
  assert table.from_text(table.to_text(network)) == network


def test_it_reads_as_python():
  text = table.to_text(SMALL)
  assert text == (
    "Network(divisor=4, padding='torch', norm_epsilon=1e-05)|"
    "Conv(3, 16, stride=2, act='hard_swish')|Inverted(5, 2.5, 24, se=0.25)|"
    'Head(hidden=32)'
  )
  assert table.from_text(text) == SMALL


def test_pasted_it_is_the_network():
  given = {kind.__name__: kind for kind in (Conv, Head, Inverted, Network, Style)}
  exec(table.to_python(SMALL, 'FOUND'), given)
  assert given['FOUND'] == SMALL


def test_how_it_is_computed_is_not_said():
  style = dataclasses.replace(SMALL.style, lowering='native', dtype='bfloat16')
  text = table.to_text(dataclasses.replace(SMALL, style=style))
  assert table.from_text(text) == SMALL


def test_a_width_is_refused():
  with pytest.raises(ModelError, match=r'a network of width 0.5 is no table'):
    table.to_text(dataclasses.replace(SMALL, width=0.5))


@pytest.mark.parametrize(
  ('text', 'says'),
  [
    ('Conv(3, 16)|Inverted(3, 1, 16)', 'does not end with a head'),
    ('', 'does not exist'),
    ('Conv(3, 16)|Inverse(3, 1, 16)|Head()', 'did you mean Inverted'),
    ('Conv(3, 16|Head()', 'cannot be read: a row is written Conv'),
    ('Conv(3, 16, strides=2)|Head()', "no field 'strides'; did you mean stride"),
    ('Conv(3)|Head()', "missing 1 required positional argument: 'out'"),
    ("Conv(3, 16, act='swish7')|Head()", "act cannot be 'swish7'"),
    ('Conv(3, -16)|Head()', 'out cannot be -16'),
    ("Conv(3, '16')|Head()", "out cannot be '16'"),
    ('Conv(3, True)|Head()', 'out cannot be True'),
    ('Conv(3, __import__("os"))|Head()', 'cannot be read'),
    ('Network(depth=3)|Conv(3, 16)|Head()', "Network has no field 'depth'"),
    ('Conv(3, 16)|Head()|Head()', 'before its end'),
    ('Conv(3, 16, {[]: 1})|Head()', 'cannot be read'),
    ('Conv(3, ' + '-' * 100_000 + '16)|Head()', 'cannot be read'),
    ('Conv(3, 1e999)|Head()', 'out cannot be inf'),
    ('Conv(3, 10000000000)|Head()', 'out cannot be 10000000000'),
    ("Conv(3, 16, padding='same')|Head()", "padding cannot be 'same'"),
    ("Conv(3, 16)|Pool(2, 2, kind='mean')|Head()", "kind cannot be 'mean'"),
    ('Conv(3, 16)|Inverted(3, 0, 16)|Head()', 'expand cannot be 0'),
    ('Conv(3, 16)|Inverted(3, 2, 16, se=5)|Head()', 'se cannot be 5'),
    ('Conv(3, 16)|Attention(4, 0)|Head()', 'width cannot be 0'),
    ('Conv(3, 16)|Universal(0, 0, 2, 16, stride=2)|Head()', 'carries a stride of 2'),
    ('Conv(3, 16)|Attention(4, 16, stride=2)|Head()', 'carries a stride of 2'),
    ('Conv(3, 16)|FlatHead(7, (0, 4))', r'hidden cannot be \(0, 4\)'),
    ("Conv(3, 16)|Head(8, 'prelu')", "act cannot be 'prelu'"),
    ('Network(divisor=0)|Conv(3, 16)|Head()', 'divisor cannot be 0'),
    ('Network(divisor=2.5)|Conv(3, 16)|Head()', 'divisor cannot be 2.5'),
    ("Network(padding='x')|Conv(3, 16)|Head()", "padding cannot be 'x'"),
    ('Network(norm=5)|Conv(3, 16)|Head()', 'norm cannot be 5'),
    ("Network(init='x')|Conv(3, 16)|Head()", "init cannot be 'x'"),
    ('Network(norm_momentum=7)|Conv(3, 16)|Head()', 'norm_momentum cannot be 7'),
    ('Network(5)|Conv(3, 16)|Head()', 'a value without a name'),
    ("Network(dtype='float16')|Conv(3, 16)|Head()", "Network has no field 'dtype'"),
  ],
)
def test_a_mistake_is_named(text, says):
  with pytest.raises(ModelError, match=says) as found:
    table.from_text(text)
  assert '\n' not in str(found.value)


@pytest.mark.parametrize(
  ('rows', 'says'),
  [
    ('Conv(3, 16, groups=5)', 'in 5 groups has 3 channels'),
    ('Conv(3, 16)|Unit(1, 24)', 'is given 16 channels'),
    ('Conv(3, 16)|UnitV2(24)', 'is given 16 channels'),
    ("Conv(3, 16)|Fire(8, 16, 16, bypass='identity')", 'cannot be added'),
  ],
)
def test_rows_that_do_not_follow_each_other_are_one_line(rows, says):
  model = zoo.create('of_rows', table=f'{rows}|Head()', num_classes=2)
  with pytest.raises(ModelError, match=says) as found:
    shapes.trace(model, (32, 32, 3))
  assert '\n' not in str(found.value)
