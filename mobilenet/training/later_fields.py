"""Fields that came to configs later, with what runs did before they had them.

A run keeps its config. When the project learns something new, a run that began before
goes on as it was: its config is completed by what it did without the field.
"""

import copy
from collections.abc import Mapping
from typing import Any

FIELDS = {
  'task': 'classification',
  'model.stem_width': None,
  'model.hidden_width': None,
  'model.hidden_act': None,
  'model.act': None,
  'model.expansion': None,
  'model.table': None,
  'model.norm': None,
  'model.norm_group': None,
  'model.remat': False,
  'model.trained': 'all',
  'model.rounded': False,
  'init': '',
  'new_head': False,
  'head_first.epochs': 0.0,
  'head_first.learning_rate': 0.003,
  'contract.mean': None,
  'contract.std': None,
  'contract.resize': None,
  'contract.crop_fraction': None,
  'contract.interpolation': None,
  'contract.antialias': None,
  'contract.resolution': None,
  'contract.channel_order': None,
  'contract.label_offset': None,
  'data.group': '',
  'data.fold': '',
  'data.own_ops': False,
  'data.repeats': 1,
  'accumulate': 1,
  'shards': 1,
  'optimizer.stale_steps': 0,
  'optimizer.layer_decay': None,
  'loss.balance': 0.0,
  'loss.name': 'softmax',
  'loss.target_threshold': None,
  'loss.sum_classes': False,
  'teacher.weights': '',
  'teacher.logits': '',
  'teacher.hard': 1.0,
  'teacher.temperature': 2.0,
  'teacher.features': 0.0,
  'teacher.resolution': None,
  'teacher.crc32': None,
  'report.positive': '',
  'report.accept_share': 0.95,
  'keep_best': False,
  'patience': None,
}


def completed(config: Mapping[str, Any]) -> dict[str, Any]:
  """A copy of a run's config, with the fields that it lacks."""
  config = copy.deepcopy(dict(config))
  for field, value in FIELDS.items():
    *sections, name = field.split('.')
    place = config
    for section in sections:
      place = place.setdefault(section, {})
    place.setdefault(name, value)
  return config
