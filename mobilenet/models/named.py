"""Any network of the tables by its name, whatever it is for."""

import flax.linen as nn

from mobilenet.models import detectors, embedders, segmenters, zoo

# What a network is for -> its table, and what makes one of its names.
KINDS = {
  'classification': (zoo.NETWORKS, zoo.create),
  'detection': (detectors.DETECTORS, detectors.create),
  'segmentation': (segmenters.SEGMENTERS, segmenters.create),
  'embeddings': (embedders.EMBEDDERS, embedders.create),
}


def create(name: str, **options) -> nn.Module:
  """Makes a named network: `create('ssdlite_mobilenet_v2', num_classes=3)`.

  Args:
    name: of any of the tables.
    **options: of what makes it, see `KINDS`.

  Raises:
    ModelError: an unknown name (with the nearest ones), option or value.
  """
  make = KINDS[kind(name)][1]
  return make(name, **options)


def kind(name: str) -> str:
  """What a network is for: a key of `KINDS`; that of classifiers for unknown names."""
  kinds = (kind for kind, (table, _) in KINDS.items() if name in table)
  return next(kinds, 'classification')


def trunk(name: str) -> str:
  """The classifier whose rows a network is made of: its own name, if it is one."""
  table, _ = KINDS[kind(name)]
  return getattr(table.get(name), 'trunk', name)
