"""Which images belong together: of one patient, plant, weld or day."""

import collections
import os
import re
from collections.abc import Sequence

from input_pipeline import csv_rows
from input_pipeline.errors import DataError, some


def group_of(names: Sequence[str], group: str) -> dict[str, str]:
  r"""Name of an image -> its group.

  Args:
    names: paths relative to the folder, 'sick/patient12_left.png'.
    group: a regular expression that is searched for in the names, such as
      r'patient\d+' (what is in its brackets counts, if it has some); or the path of a
      CSV file of two columns, the image and its group, with a line of headings. There
      an image is named by its path, or by its file name if no other has that name.
      Semicolons and tabs may stand for the commas.

  Raises:
    DataError: it is neither, says nothing of an image, or two things.
  """
  is_table = group.lower().endswith('.csv')
  found = (_by_table if is_table else _by_name)(names, group)
  lacking = sorted(name for name, own in found.items() if own is None)
  if lacking:
    raise DataError(
      f'--config.data.group={group} says nothing of {len(lacking):,} of {len(names):,} '
      f'images: {some(lacking)}; write a pattern that fits each name, or give a .csv '
      'file of images and their groups'
    )
  return found


def _by_name(names, pattern):
  try:
    search = re.compile(pattern).search
  except re.error as error:
    raise DataError(
      f'--config.data.group={pattern} is no regular expression ({error}); write for '
      r'example patient\d+, or give a .csv file'
    ) from error

  def of(match):
    return match and '/'.join(match.groups('') or (match[0],))

  return {name: of(search(name)) for name in names}


def _by_table(names, path):
  rows = _rows(path)
  by_file_name = collections.defaultdict(list)
  for name in names:
    by_file_name[name.rpartition('/')[2]].append(name)
  found, said = dict.fromkeys(names), {}
  for line, row in rows:
    image, group = row[0].strip().replace('\\', '/'), row[1].strip()
    meant = [image] if image in found else by_file_name.get(image, [])
    if len(meant) > 1:
      raise DataError(
        f'--config.data.group={path}, line {line}: {image} may be '
        f'{" or ".join(meant[:2])}; name it by its path, {meant[0]}'
      )
    for name in meant:
      if found[name] and found[name] != group:
        raise DataError(
          f'--config.data.group={path} puts {name} into two groups: {found[name]} '
          f'(line {said[name]}) and {group or "none"} (line {line}); remove one of them'
        )
      found[name], said[name] = group or None, line
  return found


def _rows(path) -> list[tuple[int, list[str]]]:
  """(number of its line, cells) of each row below the headings."""
  said = f'--config.data.group={path}'
  rows = csv_rows.read(os.path.expanduser(path), said)[1:]
  for line, row in rows:
    if len(row) < 2:
      raise DataError(
        f'{said}, line {line}, needs two columns, the image and '
        f'its group, with a comma between: {row[0]!r}'
      )
  return rows
