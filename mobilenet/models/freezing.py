"""Which part of a network learns: all of it, or only what comes last.

A network is counted in parts, from the stem: its rows, then what its head has before
the classifier, then the classifier. 'last 3' trains the last three rows and the head.
"""

import re

from mobilenet.models.rows import ModelError, Network

ALL = 'all'


def frozen_parts(network: Network, trained: str) -> int:
  """The number of parts, from the stem, that keep their values and statistics.

  Args:
    network: whose parts are counted.
    trained: 'all', 'classifier', 'head' (a hidden layer before the classifier too, as
      in V3) or 'last N' (N rows besides).

  Raises:
    ModelError: none of those, or more rows than there are.
  """
  rows = len(network.rows)
  known = {ALL: 0, 'head': rows, 'classifier': rows + 1}
  if trained in known:
    return known[trained]
  match = re.fullmatch(r'last (\d+)', trained)
  if not match:
    raise ModelError(
      f"model trained is {trained!r}: it must be 'all', 'head', 'classifier' or "
      "'last 3' with any number of rows"
    )
  last = int(match[1])
  if not 1 <= last < rows:
    raise ModelError(
      f"model trained is {trained!r}: this network has {rows} rows; 'last 1' to "
      f"'last {rows - 1}', or 'all'"
    )
  return rows - last


def learns(network: Network, frozen: int, path: tuple[str, ...]) -> bool:
  """Whether a parameter or a statistic is in a part that learns.

  Args:
    network, frozen: see `frozen_parts`.
    path: names of modules, ('backbone', 'block_03', 'depthwise', ...).
  """
  if path[0] == 'backbone':
    part = 0 if path[1] == 'stem' else 1 + int(path[1].removeprefix('block_'))
  else:
    part = len(network.rows) + (path[1] == 'classifier')
  return part >= frozen
