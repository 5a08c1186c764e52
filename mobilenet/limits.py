"""Allowed values of a config's fields, checked before anything is computed.

What only one package can judge, such as an unknown name, is checked there.
"""

import math

from ml_collections import ConfigDict

from mobilenet.training.errors import TrainingError, require

# Field -> (lowest, highest), both allowed. These fields have no default, so none of
# them may be None. The limits come from what uses the values: seeds of NumPy's
# generators, 32-bit counters. Widths and sizes may be several times the largest
# published ones.
NUMBERS = {
  'seed': (0, 2**32 - 1),
  'resolution': (8, 8192),
  'model.width': (1e-3, 64),
  'model.dropout': (0, 0.999),
  'model.stochastic_depth': (0, 0.999),
  'data.holdout': (1e-6, 0.999999),
  'data.corrupt_limit': (0, 2**31 - 1),
  'data.repeats': (1, 2**10),
  'data.shuffle_buffer': (1, 2**31 - 1),
  'data.made_examples': (1, 2**31 - 1),
  'data.made_classes': (1, 2**20),
  'data.cells.most': (1, 2**31 - 1),
  'data.cells.fewest': (1, 2**31 - 1),
  'data.cells.lowest_level': (0, 30),
  'data.cells.highest_level': (0, 30),
  'batch_size': (1, 2**20),
  'eval_batch_size': (1, 2**20),
  'accumulate': (1, 2**20),
  'shards': (1, 2**20),
  'epochs': (1e-9, 1e6),
  'head_first.epochs': (0, 1e6),
  'head_first.learning_rate': (0, 1e6),
  'optimizer.stale_steps': (0, 1000),
  'schedule.learning_rate': (0, 1e6),
  'schedule.warmup_epochs': (0, 1e6),
  'schedule.warmup_from': (0, 1),
  'loss.label_smoothing': (0, 0.999),
  'loss.l2': (0, 1e3),
  'loss.balance': (0, 1),
  'teacher.hard': (0, 1),
  'teacher.temperature': (0.01, 1000),
  'teacher.features': (0, 1e9),
  'report.accept_share': (0.5, 1),
  'detection.box_weight': (0, 1e6),
  'detection.candidates': (1, 2**16),
  'detection.most': (1, 2**16),
  'detection.overlap': (1e-6, 1),
  'detection.least_score': (0, 1),
  'segmentation.auxiliary_weight': (0, 1e6),
  'places.metric_km': (1, 2500),
  'model.embedding': (1, 2**14),
  'embeddings.scale': (1e-3, 1e6),
  'max_skipped_in_a_row': (1, 2**31 - 1),
  'log_steps': (1, 2**31 - 1),
  'eval_every_epochs': (1e-9, 1e9),
  'checkpoint_every_epochs': (1e-9, 1e9),
}
# Numbers that may be None, which means the default of what reads them.
OPTIONAL = {
  'steps': (1, 2**31 - 1),
  'patience': (1, 2**31 - 1),
  'ema_decay': (0, 0.999999999),
  'optimizer.layer_decay': (0.01, 1),
  'loss.target_threshold': (0, 0.999999),
  'model.stem_width': (1, 2**16),
  'model.hidden_width': (0, 2**20),
  'model.norm_momentum': (0, 0.999999),
  'model.norm_epsilon': (0, 1),
  'model.norm_group': (0, 2**20),
  'contract.crop_fraction': (0.01, 1),
  'contract.resolution': (8, 8192),
  'contract.label_offset': (0, 1),
  'teacher.resolution': (8, 8192),
  'embeddings.margin': (0, 10),
}
# Strings and booleans that have no default either.
NEEDED = (
  'task',
  'model.name',
  'model.dtype',
  'model.lowering',
  'model.trained',
  'model.rounded',
  'model.remat',
  'model.frozen_norms',
  'detection.class_loss',
  'segmentation.class_weights',
  'embeddings.loss',
  'init',
  'new_head',
  'keep_best',
  'data.name',
  'data.dir',
  'data.annotations',
  'data.group',
  'data.fold',
  'data.train_split',
  'data.eval_split',
  'data.train_ops',
  'data.eval_ops',
  'data.batch_ops',
  'data.own_ops',
  'optimizer.name',
  'optimizer.decay_depthwise',
  'schedule.name',
  'loss.name',
  'loss.sum_classes',
  'loss.l2_depthwise',
  'teacher.weights',
  'teacher.logits',
  'report.positive',
)


def check(config: ConfigDict) -> None:
  """Checks those of the fields that a config has.

  Raises:
    TrainingError: a field is out of range, or is None and has no default; the line
      names the flag that sets it.
  """
  for field, (low, high) in {**NUMBERS, **OPTIONAL}.items():
    value, there = _get(config, field)
    # A resolution of None means that of the weights, which are not read yet.
    weights = config.get('init') or not config.get('model', {}).get('name')
    from_weights = field == 'resolution' and weights
    missing = value is None and (field in OPTIONAL or from_weights)
    if not there or missing:
      continue
    valid = isinstance(value, int | float) and math.isfinite(value)
    require(
      valid and low <= value <= high,
      f'--config.{field}={value} must be a number from {low:.10g} to {high:.10g}',
    )
  for field in NEEDED:
    value, there = _get(config, field)
    if there and value is None:
      raise TrainingError(f'--config.{field}=None: this field has no default')


def _get(config: ConfigDict, field: str):
  """(value, whether the config has such a field)."""
  for name in field.split('.'):
    if name not in config:
      return None, False
    config = config[name]
  return config, True
