"""Absurd values of a config are one line, before anything is computed or written."""

import pytest

from configs import common, detection, embeddings, finetune, places, segmentation
from mobilenet import limits
from mobilenet.training.errors import TrainingError


@pytest.mark.parametrize(
  ('field', 'value'),
  [
    ('seed', -1),
    ('seed', 2**32),
    ('epochs', float('inf')),
    ('epochs', float('nan')),
    ('epochs', None),
    ('resolution', -1),
    ('resolution', 1),
    ('ema_decay', 2.0),
    ('ema_decay', 1.0),
    ('model.width', 1000.0),
    ('model.width', 1e9),
    ('batch_size', 0),
    ('loss.label_smoothing', 1.0),
    ('steps', 0),
    ('data.name', None),
  ],
)
def test_what_cannot_be_is_refused_by_the_flag_to_type(field, value):
  config = common.base()
  config.model.name = 'mobilenet_v2'
  limits.check(config)
  config.update_from_flattened_dict({field: value})
  with pytest.raises(TrainingError, match=rf'^--config\.{field}='):
    limits.check(config)


def test_every_field_has_a_limit_or_may_be_none():
  """A new field without a default must say what it may be."""
  flat = {}

  def walk(section, prefix=''):
    for name, value in section.items():
      if hasattr(value, 'items'):
        walk(value, f'{prefix}{name}.')
      else:
        flat[prefix + name] = value

  for base in (common, detection, segmentation, embeddings, places):
    walk(base.base())
  known = {*limits.NUMBERS, *limits.NEEDED}
  assert {field for field, value in flat.items() if value is not None} == known
  assert {*limits.OPTIONAL} <= {field for field, value in flat.items() if value is None}


def test_a_resolution_may_be_that_of_the_weights():
  config = finetune.get_config()
  assert config.resolution is None
  limits.check(config)
  config.model.name = 'mobilenet_v2'
  with pytest.raises(TrainingError, match=r'resolution=None must be'):
    limits.check(config)
  config.init = 'mobilenet_v2.pth'
  limits.check(config)
