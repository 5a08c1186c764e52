"""Prints the shapes and counts of a network's layers.

    python main.py --job=summary --config=configs/v3_large.py

Neither data nor TensorFlow is needed.
"""

from mobilenet import experiment, limits
from mobilenet.command_line import Flag, Given
from mobilenet.models import counting
from mobilenet.reports import summary

FLAGS = (
  Flag('depth', int, 1, '1 for blocks, 2 for their parts, -1 for every layer.'),
  Flag('num_classes', int, 1000, 'Outputs of the network.'),
)


def run(given: Given) -> int:
  config = given.needed_config()
  limits.check(config)
  config = experiment.with_table(config)
  if config.init:
    from mobilenet import trained  # reads checkpoints too, which takes a while

    config, _ = trained.complete(config)
  model = experiment.make_model(config, ('',) * given.flags.num_classes)
  summary.print_summary(
    counting.layers(model, config.resolution),
    f'{config.model.name}, width {config.model.width}, {config.resolution} px',
    depth=None if given.flags.depth < 0 else given.flags.depth,
  )
  return 0
