"""Where a photo was taken, as PlaNet has it (https://arxiv.org/abs/1602.05314)."""

from ml_collections import ConfigDict

from mobilenet.tasks.places.task import Places


def make_task(config: ConfigDict) -> Places:
  """The task of a config with a `places` section (`configs/places.py`).

  Raises:
    TrainingError: a wrong field.
  """
  return Places(
    label_smoothing=config.loss.label_smoothing,
    l2=config.loss.l2,
    l2_depthwise=config.loss.l2_depthwise,
    balance=config.loss.balance,
    hard=config.teacher.hard,
    temperature=config.teacher.temperature,
    features=config.teacher.features,
    **config.get('places', {}),  # imported runs have none
  )
