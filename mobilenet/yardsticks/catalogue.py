"""The yardsticks: photos of ImageNet's classes that nobody trains on.

TFDS gives all of them ImageNet's 1,000 classes, named by WordNet ids in ImageNet's
order, whatever part of them is there: a label of imagenet_a is one of 1,000, and its
photos have 200 of these.
"""

from collections.abc import Sequence
from typing import NamedTuple

from mobilenet.training.errors import require, unknown_name

LABEL, ANSWERS = 'label', 'answers'


class Yardstick(NamedTuple):
  """A set of photos.

  tfds, split: in TFDS.
  folders: names that a folder with its class folders has, the usual one first.
  examples, classes: of the published set.
  paper: its number at arXiv.
  restricted: whether the network chooses among the classes alone that are there, as the
    set's authors let it.
  labels: LABEL, one class of each photo, or ANSWERS, those that are right: an answer
    counts if it is among them, and photos without any are left out.
  manual: whether TFDS needs a file that it cannot download by itself.
  """

  tfds: str
  split: str
  folders: tuple[str, ...]
  examples: int
  paper: str
  classes: int = 1000
  restricted: bool = False
  labels: str = LABEL
  manual: bool = False


_V2 = ('imagenet-v2', 'imagenetv2-matched-frequency-format-val')

YARDSTICKS = {
  'imagenet': Yardstick(
    'imagenet2012', 'validation', ('imagenet-val',), 50_000, '1409.0575', manual=True
  ),
  'imagenet_real': Yardstick(
    'imagenet2012_real',
    'validation',
    (),
    50_000,
    '2006.07159',
    labels=ANSWERS,
    manual=True,
  ),
  'imagenet_v2': Yardstick(
    'imagenet_v2/matched-frequency', 'test', _V2, 10_000, '1902.10811'
  ),
  'imagenet_a': Yardstick(
    'imagenet_a', 'test', ('imagenet-a',), 7_500, '1907.07174', 200, restricted=True
  ),
  'imagenet_r': Yardstick(
    'imagenet_r', 'test', ('imagenet-r',), 30_000, '2006.16241', 200, restricted=True
  ),
  'imagenet_sketch': Yardstick(
    'imagenet_sketch', 'test', ('imagenet-sketch', 'sketch'), 50_889, '1905.13549'
  ),
}
# What TFDS needs for those that are `manual`; image-net.org gives it to members.
MANUAL = 'ILSVRC2012_img_val.tar'


def chosen(names: str | None) -> tuple[str, ...]:
  """The names in a text, 'imagenet_a,imagenet_r'; all where there is none.

  Raises:
    TrainingError: a name is not in the table, or stands there twice.
  """
  if names is None:
    return tuple(YARDSTICKS)
  asked = tuple(name.strip() for name in names.split(','))
  for name in asked:
    if name not in YARDSTICKS:
      raise unknown_name('--sets: the yardstick', name, YARDSTICKS)
  require(len(set(asked)) == len(asked), f'--sets={names} names a set twice')
  return asked


def how_to_prepare(names: Sequence[str], data_dir: str) -> str:
  """One line on sets that are not there."""
  there = f' --data_dir={data_dir}' if data_dir else ''
  built = ' '.join(YARDSTICKS[name].tfds for name in names)
  line = f'not here: {", ".join(names)}; `tfds build {built}{there}` prepares them'
  if any(YARDSTICKS[name].manual for name in names):
    where = f'{data_dir or "~/tensorflow_datasets"}/downloads/manual'
    line += f' ({MANUAL} of image-net.org has to be in {where} first)'
  folders = [YARDSTICKS[name].folders[0] for name in names if YARDSTICKS[name].folders]
  if folders:
    line += (
      f'; or put class folders named by WordNet id into {", ".join(folders)} of '
      f'{data_dir or "one folder, and give that as --data_dir"}'
    )
  return line
