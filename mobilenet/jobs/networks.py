"""Lists every network with its widths and counts.

    python main.py --job=networks --match=v3

Any config of that task takes a name: --config.model.name=NAME. Counts are for width
1.0: of classifiers with 1,000 classes, of detectors with COCO's 90, of segmenters with
VOC's 21; of embedders without the classes, which only training needs. No config is
needed.
"""

from mobilenet.command_line import Flag, Given
from mobilenet.models import counting, named, zoo
from mobilenet.reports import terminal
from mobilenet.training.errors import require

FLAGS = (
  Flag('match', str, '', 'Only names that contain this.'),
  Flag('resolution', int, None, 'Image size in pixels, for the multiply-adds.'),
)
# Of each kind of network: title, px and outputs that the papers count with.
SHOWN = {
  'classification': ('Networks', 224, 1000),
  'detection': ('Detectors', 320, 90),
  'segmentation': ('Segmenters', 512, 21),
  'embeddings': ('Embedders', 224, 1000),
}


def run(given: Given) -> int:
  match, resolution = given.flags.match, given.flags.resolution
  require(
    resolution is None or resolution >= 1,
    f'--resolution={resolution} must be at least 1',
  )
  found = {
    kind: [name for name in sorted(table) if match in name]
    for kind, (table, _) in named.KINDS.items()
  }
  require(
    any(found.values()),
    f'no network has {match!r} in its name; leave out --match',
  )
  for kind, names in found.items():
    title, px, outputs = SHOWN[kind]
    if names:
      _show(title, names, resolution or px, outputs)
  return 0


def _show(title: str, names: list[str], resolution: int, outputs: int) -> None:
  table = terminal.make_table(
    f'{title} at {resolution} px, {outputs:,} classes',
    [
      ('name', 'left'),
      ('widths', 'left'),
      ('parameters', 'right'),
      ('multiply-adds', 'right'),
    ],
  )
  for name in names:
    model = named.create(name, num_classes=outputs)
    parameters, multiply_adds = counting.count(model, resolution)
    widths = zoo.widths(named.trunk(name))
    terminal.add_row(
      table, name, widths, f'{parameters:,}', f'{multiply_adds / 1e6:,.1f} M'
    )
  terminal.show(table)
