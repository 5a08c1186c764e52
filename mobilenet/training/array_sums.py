"""Checksums of arrays, which show whether what is read is what was written.

Storage formats check their own indexes and leave the numbers to the disk. A bit that
flips there would silently be trained on, or served.
"""

import json
import zlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.experimental import multihost_utils


def leaves(tree: Any) -> dict[str, Any]:
  """'params/block_00/conv/kernel' -> leaf; attributes and keys read the same."""
  flat, _ = jax.tree_util.tree_flatten_with_path(tree)
  return {jax.tree_util.keystr(k, simple=True, separator='/'): v for k, v in flat}


def describe(leaf: Any) -> str:
  """'float32[3, 3, 16]'; 'absent' of None."""
  return 'absent' if leaf is None else f'{leaf.dtype}{list(leaf.shape)}'


def crc32(array: Any) -> str:
  """Eight hexadecimal digits, of the bytes in C order.

  Args:
    array: a NumPy or a JAX array. One that several processes have parts of is gathered
      on each of them, so all of them have to ask.
  """
  if isinstance(array, jax.Array):
    if not array.is_fully_addressable and not array.is_fully_replicated:
      array = multihost_utils.process_allgather(array, tiled=True)
    elif array.is_fully_replicated:
      # A separate view: on a CPU an array keeps the view that NumPy takes of it, and a
      # buffer with a view cannot be donated.
      array = array.addressable_data(0)
  flat = np.ascontiguousarray(array).reshape(-1)
  return f'{zlib.crc32(flat.view(np.uint8)):08x}'


def crc32_of(value: Any) -> str:
  """Eight hexadecimal digits, of what JSON can hold."""
  return f'{zlib.crc32(json.dumps(value, sort_keys=True).encode()):08x}'


class Entry(NamedTuple):
  """What is recorded of an array."""

  description: str
  crc32: str


def record(tree: Any) -> dict[str, Any]:
  """Descriptions and checksums of a tree of arrays, for JSON; `read` reads them."""
  arrays = {path: [describe(leaf), crc32(leaf)] for path, leaf in leaves(tree).items()}
  return {'arrays': arrays, 'crc32': crc32_of(arrays)}


def read(text: bytes) -> dict[str, Entry]:
  """Path -> entry, from the JSON of what `record` returned.

  Raises:
    ValueError: the record itself is damaged.
  """
  try:
    recorded = json.loads(text)
    arrays, crc = recorded['arrays'], recorded['crc32']
  except (KeyError, TypeError, ValueError):
    arrays = crc = None
  if arrays is None or crc != crc32_of(arrays):
    raise ValueError('its list of checksums is damaged')
  return {path: Entry(*entry) for path, entry in arrays.items()}


def difference(entries: Mapping[str, Entry], tree: Any) -> str:
  """Names the arrays of a tree that are not as recorded; '' if all are."""
  wrong = [
    path for path, leaf in leaves(tree).items() if crc32(leaf) != entries[path].crc32
  ]
  if not wrong:
    return ''
  others = f', and {len(wrong) - 1} more' if len(wrong) > 1 else ''
  return f'{wrong[0]} is not what was saved{others}'
