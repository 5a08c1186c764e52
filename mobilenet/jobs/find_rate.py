"""Looks for a learning rate: trains some steps while it grows.

    python main.py --job=find_rate --config=configs/folder.py --config.data.dir=photos

Give what you would train with. The rate grows exponentially from --lowest to --highest
(the range test of Smith, 2017), until the smoothed loss is four times its least or no
finite number. Suggested is the rate at which the smoothed loss falls fastest; where it
does not clearly fall, a third of the rate at which it climbs. The line to add to the
training command is printed last. The folder --out gets a figure and all losses as a
CSV. Nothing that was trained is kept.

With config.head_first, the classifier learns first, as in training. The test is short:
it tells the order of magnitude, and --job=sweep tells rates apart.
"""

from mobilenet import config_files
from mobilenet.command_line import Flag, Given
from mobilenet.runs.find_rate import find_rate
from mobilenet.training import workdir
from mobilenet.training.errors import require

FLAGS = (
  Flag('steps', int, 100, 'Training steps.'),
  Flag('lowest', float, 1e-5, 'The learning rate of the first step.'),
  Flag('highest', float, 1.0, 'The learning rate of the last step.'),
  Flag('out', str, None, 'A folder for the figure; runs/find_rate-NAME by default.'),
)
INSTEAD = {'data_dir': '--config.data.dir', 'init': '--config.init'}


def run(given: Given) -> int:
  flags = given.flags
  require(not flags.multihost, '--multihost: one process looks for a learning rate')
  config = given.needed_config()
  name = config_files.config_name(given.argument)
  find_rate(
    config,
    workdir.local_path(flags.out or f'runs/find_rate-{name}'),
    lowest=flags.lowest,
    highest=flags.highest,
    steps=flags.steps,
    compiled=given.compiled and given.compiled / 'programs',
  )
  return 0
