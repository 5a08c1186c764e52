"""Which part of a network learns: all of it, or only what comes last.

A network is counted in parts, from the stem: its rows, then what its head has before
the classifier, then the classifier. 'last 3' trains the last three rows and the head,
'stride 8' the rows from the first that is given a map of stride 8, and the head: on the
large maps before it most of the time is spent, for filters that hardly change.
"""

import bisect
import itertools
import operator
import re

from mobilenet.models.rows import ModelError, Network

ALL = 'all'


def frozen_parts(network: Network, trained: str) -> int:
  """The number of parts, from the stem, that keep their values and statistics.

  Args:
    network: whose parts are counted.
    trained: 'all', 'classifier', 'head' (a hidden layer before the classifier too, as
      in V3), 'last N' (N rows besides) or 'stride N' (the rows besides that are given
      a map of stride N or more).

  Raises:
    ModelError: none of those, or more rows or a greater stride than there are.
  """
  rows = len(network.rows)
  known = {ALL: 0, 'head': rows, 'classifier': rows + 1}
  if trained in known:
    return known[trained]
  match = re.fullmatch(r'(last|stride) (\d+)', trained)
  if not match:
    raise ModelError(
      f"model trained is {trained!r}: it must be 'all', 'head', 'classifier', 'last 3' "
      "with any number of rows or 'stride 8' with any stride"
    )
  number = int(match[2])
  if match[1] == 'stride':
    strides = list(itertools.accumulate((r.stride for r in network.rows), operator.mul))
    if not 2 <= number <= strides[-1]:
      raise ModelError(
        f"model trained is {trained!r}: this network's last map has stride "
        f"{strides[-1]}; 'stride 2' to 'stride {strides[-1]}', or 'all'"
      )
    return min(1 + bisect.bisect_left(strides, number), rows)
  if not 1 <= number < rows:
    raise ModelError(
      f"model trained is {trained!r}: this network has {rows} rows; 'last 1' to "
      f"'last {rows - 1}', or 'all'"
    )
  return rows - number


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
