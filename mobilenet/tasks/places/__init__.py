"""Where a photo was taken, as PlaNet has it (https://arxiv.org/abs/1602.05314)."""

from ml_collections import ConfigDict

from mobilenet.tasks.classification import loss_of
from mobilenet.tasks.places.task import Places


def make_task(config: ConfigDict) -> Places:
  """The task of a config with a `places` section (`configs/places.py`).

  Raises:
    TrainingError: a wrong field.
  """
  # Imported runs have no such section.
  return Places(**loss_of(config), **config.get('places', {}))
