"""What training prints about a folder of photos before it begins; none is decoded."""

from typing import NamedTuple

from mobilenet.reports import data_counts
from mobilenet.runs import overlap


class Summary(NamedTuple):
  """counts: 'training' and 'evaluation' -> class -> examples; None where unknown.

  copies: evaluated examples that are trained on too; None where unknown.
  """

  counts: dict[str, dict[str, int]] | None
  copies: int | None


def tell(source, eval_source) -> Summary:
  """Prints the classes' sizes, imbalance, and copies between the two splits.

  Nothing for data other than folders.

  Args:
    source, eval_source: the two opened splits (`input_pipeline.Source`).
  """
  counts = data_counts.per_class(source, eval_source)
  if not counts:
    return Summary(None, None)
  data_counts.show(counts)
  if line := data_counts.imbalance(counts):
    print(f'note: {line}')
  found = overlap.between(source, eval_source)
  if found.count:
    print(
      f'warning: {overlap.described(found, eval_source)}; --job=check_data finds '
      'changed copies too'
    )
  parts = {
    'training': {name: count.train for name, count in counts.items()},
    'evaluation': {name: count.evaluation for name, count in counts.items()},
  }
  return Summary(parts, found.count)
