"""Batch norms folded into the convolutions before them, for inference."""

import dataclasses
from typing import Any

from mobilenet.models.classifier import Classifier


def fold(
  model: Classifier, variables: dict[str, Any]
) -> tuple[Classifier, dict[str, Any]]:
  """The same function of images at inference, with a bias in place of each norm.

  A norm with fixed statistics is y * factor + shift: the factor goes into the kernel,
  the shift becomes the bias. Norms that follow no convolution (before attention, in
  V4's head) stay.

  Args:
    model: as `zoo.create` gives it.
    variables: {'params', 'batch_stats'}, of NumPy or JAX; `batch_stats` may be missing
      without norms.

  Returns:
    (model, variables), to be applied with train=False.
  """
  network = model.network
  if not network.style.norm:
    return model, variables
  style = dataclasses.replace(network.style, norm=False)
  folded = model.clone(network=dataclasses.replace(network, style=style))
  own = getattr(model, 'norm_epsilons', {})  # a segmenter's heads may have others
  params, statistics = _fold(
    variables['params'], variables['batch_stats'], style.norm_epsilon, own
  )
  return folded, {'params': params, 'batch_stats': statistics}


def _fold(params, statistics, epsilon, of_parts):
  if {'conv', 'norm'} <= params.keys():
    norm, running = params['norm'], statistics['norm']
    factor = norm['scale'] * (running['var'] + epsilon) ** -0.5
    bias = norm['bias'] - running['mean'] * factor
    conv = {'kernel': params['conv']['kernel'] * factor, 'bias': bias}
    others = {name: own for name, own in params.items() if name != 'norm'}
    return {**others, 'conv': conv}, {}  # a PReLU follows some
  new_params, new_statistics = {}, {}
  for name, value in params.items():
    own = statistics.get(name, {})
    if isinstance(value, dict) and name != 'norm':
      value, own = _fold(value, own, of_parts.get(name, epsilon), {})
    new_params[name] = value
    if own:
      new_statistics[name] = own
  return new_params, new_statistics
