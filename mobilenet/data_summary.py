"""What training prints about a folder of photos before it begins; none is decoded."""

from mobilenet import overlap
from mobilenet.reports import data_counts


def tell(source, eval_source) -> None:
  """Prints the classes' sizes, imbalance, and copies between the two splits.

  Nothing for data other than folders.

  Args:
    source, eval_source: the two opened splits (`input_pipeline.Source`).
  """
  counts = data_counts.per_class(source, eval_source)
  if not counts:
    return
  data_counts.show(counts)
  if line := data_counts.imbalance(counts):
    print(f'note: {line}')
  found = overlap.between(source, eval_source)
  if found.count:
    print(
      f'warning: {overlap.described(found, eval_source)}; --job=check_data finds '
      'changed copies too'
    )
