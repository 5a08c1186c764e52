"""Lists every network with its widths and counts.

    python main.py --job=networks --match=v3

Any config takes a name: --config.model.name=NAME. Counts are for width 1.0 and 1,000
classes. No config is needed.
"""

from mobilenet.command_line import Flag, Given
from mobilenet.models import counting, zoo
from mobilenet.reports import terminal
from mobilenet.training.errors import require

FLAGS = (
  Flag('match', str, '', 'Only names that contain this.'),
  Flag('resolution', int, 224, 'Image size in pixels, for the multiply-adds.'),
)


def run(given: Given) -> int:
  names = [name for name in sorted(zoo.NETWORKS) if given.flags.match in name]
  require(
    bool(names), f'no network has {given.flags.match!r} in its name; leave out --match'
  )
  resolution = given.flags.resolution
  require(resolution >= 1, f'--resolution={resolution} must be at least 1')
  table = terminal.make_table(
    f'Networks at {resolution} px, 1,000 classes',
    [
      ('name', 'left'),
      ('widths', 'left'),
      ('parameters', 'right'),
      ('multiply-adds', 'right'),
    ],
  )
  for name in names:
    parameters, multiply_adds = counting.count(zoo.create(name), resolution)
    terminal.add_row(
      table, name, zoo.widths(name), f'{parameters:,}', f'{multiply_adds / 1e6:,.1f} M'
    )
  terminal.show(table)
  return 0
