"""What a network is and what it was made of: the last page of a report.

The rows follow Mitchell et al., 'Model cards for model reporting' (1810.03993). They
say what is known from the run; what a network is fit for, only its users can judge.
"""

from collections.abc import Mapping
from typing import Any

from mobilenet.reports import result

INTENDED = (
  'To find the classes above in photos like those it was trained on: of the same '
  'things, taken in the same way, with the same kind of camera or device.'
)
LIMITS = (
  'It knows no other classes: what is none of them may be taken for the most similar '
  'one; a low confidence hints at that, but a high one does not exclude it.',
  'Its numbers hold for the photos that were evaluated. Other places, devices, light '
  'or people can make them much worse; evaluate it on photos from where it will be '
  'used.',
  'It may rest on what the photos of a class have in common by chance, such as a '
  'background, a ruler or a text in the picture. Heat maps, where a report has them, '
  'show some of that.',
  'This report is no approval for decisions about health or safety. There a person '
  'must check what the network says, and must answer for it.',
)

_OPTIMIZER = ('weight_decay', 'momentum', 'decay', 'clip_norm')


def rows(
  config: Mapping[str, Any],
  *,
  outputs: int,
  size: tuple[int, int],
  step: int,
  ops: Mapping[str, str],
  data: Mapping[str, Any],
) -> list[tuple[str, str]]:
  """(what, value) in words.

  Args:
    config: of the run.
    outputs: of the network.
    size: its parameters and multiply-adds.
    step: of the weights.
    ops: op strings of 'training' and 'evaluation', as they were used.
    data: what is known of it, in words by what it is.
  """
  model = config['model']
  start = config['init'] or 'drawn at random'
  if config['init'] and config['new_head']:
    start += ', with a new classifier'
  length = '1 epoch' if config['epochs'] == 1 else f'{config["epochs"]:g} epochs'
  if config['steps'] is not None:
    length = f'{config["steps"]:,} steps'
  where = result.environment()
  versions = [f'{name} {where[name]}' for name in ('jax', 'flax', 'optax', 'numpy')]
  revision = where['git_revision']
  if revision:
    revision = revision[:10] + (' (modified)' if where['git_modified'] else '')
  found = {
    'Network': f'{model["name"]}, width {model["width"]:g}, {outputs} outputs',
    'Input': f'{config["resolution"]} x {config["resolution"]} pixels, three colours',
    'Size': f'{size[0]:,} parameters, {size[1] / 1e6:,.1f} M multiply-adds',
    'Weights before training': start,
    **data,
    'Photos in evaluation and use': ops.get('evaluation'),
    'Photos in training': ops.get('training'),
    'Training': f'{length} in batches of {config["batch_size"]}; seed {config["seed"]}',
    'Optimizer': _optimizer(config['optimizer']),
    'Learning rate': (
      f'{config["schedule"]["learning_rate"]:g}, {config["schedule"]["name"]}'
    ),
    'Regularisation': _regularisation(config),
    'Weights of step': f'{step:,}',
    'Made with': f'{", ".join(versions)}, Python {where["python"]}',
    'Revision of the code': revision,
  }
  return [(name, value) for name, value in found.items() if value]


def _optimizer(section: Mapping[str, Any]) -> str:
  said = [
    f'{name.replace("_", " ")} {section[name]:g}'
    for name in _OPTIMIZER
    if section.get(name)
  ]
  return ', '.join([section['name'], *said])


def _regularisation(config: Mapping[str, Any]) -> str:
  known = (
    ('dropout', config['model']['dropout']),
    ('stochastic depth', config['model']['stochastic_depth']),
    ('label smoothing', config['loss']['label_smoothing']),
    ('L2', config['loss']['l2']),
    ('averaged weights, decay', config['ema_decay']),
  )
  return ', '.join(f'{name} {value:g}' for name, value in known if value) or 'none'
