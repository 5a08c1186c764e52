"""What training prints about a folder of photos before it begins; none is decoded."""

from typing import NamedTuple

from input_pipeline import photo_groups
from input_pipeline.errors import some
from mobilenet.reports import data_counts
from mobilenet.runs import overlap


class Summary(NamedTuple):
  """counts: 'training' and 'evaluation' -> class -> examples, of data with boxes these;
  None where unknown.

  copies: evaluated examples that are trained on too; None where unknown.
  """

  counts: dict[str, dict[str, int]] | None
  copies: int | None


def tell(source, eval_source, group: str = '') -> Summary:
  """Prints the classes' sizes, imbalance, and copies between the two splits.

  Of data other than folders there are only sizes, where they are known.

  Args:
    source, eval_source: the two opened splits (`input_pipeline.Source`).
    group: which photos belong together (`photo_groups.group_of`), '' if nobody said.

  Raises:
    DataError: `group` says nothing of a photo.
  """
  counts = data_counts.per_class(source, eval_source)
  if not counts and source.names is None:
    return Summary(None, None)
  if counts:
    _tell_of_classes(counts, data_counts.noun(source))
  elif source.class_names != eval_source.class_names:
    sizes = (len(part.class_names) for part in (source, eval_source))
    print('classes: {:,} for training, {:,} others for evaluation'.format(*sizes))
  if group:
    _tell_of_groups(source, eval_source, group)
  copies = None if source.names is None else _tell_of_copies(source, eval_source)
  if not counts:
    return Summary(None, copies)
  parts = {
    'training': {name: count.train for name, count in counts.items()},
    'evaluation': {name: count.evaluation for name, count in counts.items()},
  }
  return Summary(parts, copies)


def _tell_of_classes(counts, what: str) -> None:
  data_counts.show(counts)
  if line := data_counts.imbalance(counts, what):
    print(f'note: {line}')
  for line in data_counts.on_one_side(counts, what):
    print(f'warning: {line}')


def _tell_of_copies(source, eval_source) -> int:
  found = overlap.between(source, eval_source)
  if found.count:
    print(
      f'warning: {overlap.described(found, eval_source)}; --job=check_data finds '
      'changed copies too'
    )
  return found.count


def _tell_of_groups(source, eval_source, group: str) -> None:
  # Of both at once: a file name that fits a photo of each says nothing.
  names = dict.fromkeys([*source.names, *eval_source.names])
  group_by_name = photo_groups.group_of(list(names), group)
  sides = [
    {group_by_name[name] for name in part.names} for part in (source, eval_source)
  ]
  print(f'groups: {len(sides[0]):,} for training, {len(sides[1]):,} for evaluation')
  if both := sorted(sides[0] & sides[1]):
    print(
      f'warning: {len(both):,} groups are in both splits ({some(both)}): what is '
      'measured on them says little about new ones'
    )
