"""Which of K classes an image shows."""

from ml_collections import ConfigDict

from mobilenet.tasks.classification.task import Classification


def make_task(config: ConfigDict) -> Classification:
  """The task with the loss of a config."""
  # Runs of older versions have no such sections.
  report, teacher = config.get('report', {}), config.get('teacher', {})
  return Classification(
    label_smoothing=config.loss.label_smoothing,
    l2=config.loss.l2,
    l2_depthwise=config.loss.l2_depthwise,
    balance=config.loss.get('balance', 0.0),  # runs of older versions have none
    **report,
    **{
      name: teacher[name]
      for name in ('hard', 'temperature', 'features')
      if name in teacher
    },
  )
