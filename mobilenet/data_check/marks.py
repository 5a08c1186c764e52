"""What is wrong with a folder of pictures with boxes, masks or tags, by file names."""

import collections
import concurrent.futures
import json
import pathlib
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from input_pipeline import DataError, folder_layout, folder_split
from input_pipeline.annotated import (
  annotations,
  box_folder,
  mask_files,
  mask_folder,
  picture_split,
  tag_folder,
)
from mobilenet.data_check import listing, scan
from mobilenet.data_check.facts import Found
from mobilenet.data_check.findings import LOOK, NOTE, SERIOUS, SEVERITIES, Finding
from mobilenet.data_check.writing import JSON_FILE
from mobilenet.reports import terminal
from mobilenet.training import files

# Kind of fault -> how serious it is and what to do.
ADVICE: dict[str, tuple[str, str]] = {
  'no size': (LOOK, 'Training leaves them out. Draw them again, or delete them.'),
  'inverted': (LOOK, 'Training leaves them out. Exchange their corners.'),
  'no number': (LOOK, 'Training leaves them out. Draw them again, or delete them.'),
  'outside': (LOOK, 'Training leaves them out. Are they in pixels of another size?'),
  'clipped': (NOTE, 'Training uses the part inside.'),
  'unknown class': (LOOK, 'Training leaves them out. Add the class to the list.'),
  'no annotation': (
    LOOK,
    'Training leaves them out. Annotate them, or move them away.',
  ),
  'no labels file': (
    NOTE,
    'They are learned from as background. Move those away that show an object.',
  ),
  'no picture': (LOOK, 'Copy the pictures here, or delete the annotations.'),
  'in no list': (NOTE, 'Add them to train.txt, val.txt or test.txt.'),
  'twice': (LOOK, 'Keep one annotation of each picture.'),
  'no place': (LOOK, 'Training leaves them out. Add a row, or move them away.'),
  'no mask': (LOOK, 'Training leaves them out. Add a mask, or move them away.'),
  'no photo': (LOOK, 'Copy the pictures here, or delete the masks.'),
  'other size': (LOOK, 'Training leaves them out. Export the masks again.'),
  'wrong shape': (
    SERIOUS,
    'Their boxes lie in the wrong places: the pictures were turned or cut after they '
    'were annotated, or the stated size is wrong. Annotate them again, or repair it.',
  ),
  'other scale': (
    LOOK,
    'That is right where pictures were made smaller or larger since, and wrong where '
    'the stated size is a mistake.',
  ),
  'turned': (
    LOOK,
    'Look at some in a report: the stated size is that of the stored pixels, before '
    'EXIF turns them.',
  ),
  'polygon': (NOTE, 'They are learned as boxes.'),
  'broken': (SERIOUS, 'Training ends at the first. Repair them, or delete them.'),
  'category twice': (LOOK, 'List each category once.'),
  'alike': (LOOK, 'They are learned as different classes. Give them one name.'),
  'untrained': (
    LOOK,
    'Nothing can be learned of them. Annotate some, or leave the class out.',
  ),
  'untold': (NOTE, 'Only a teacher says something of them (teacher.hard below 1).'),
  'unreadable': (SERIOUS, 'Copy them again from where they came, or delete them.'),
  'unknown id': (
    SERIOUS,
    'Training ends when it meets one. Add the ids to the label map, or repair the '
    'masks.',
  ),
}
_REMARKS = 3  # of a file, that are printed


class Checked(NamedTuple):
  """counts: class -> part -> boxes, or pictures that show the class. sizes: class ->
  median side of a box as a share of the picture's; {} of masks. pictures: their number.
  """

  faults: tuple[annotations.Fault, ...]
  counts: Mapping[str, Mapping[str, int]]
  sizes: Mapping[str, float]
  pictures: int


def check(
  kind: str,
  folder: str,
  annotations_at: str,
  split: folder_split.Split,
  out: pathlib.Path,
) -> tuple[Finding, ...]:
  """Checks a folder, prints what is found and writes check.json.

  Every picture is decoded, and every mask.

  Args:
    kind: 'boxes', 'masks' or 'tags'.
    folder: as training takes it.
    annotations_at: where the annotations are, '' to look for them.
    split: by which pictures are split where nothing says it.
    out: for check.json.

  Raises:
    DataError: what training would refuse.
  """
  root = pathlib.Path(folder).expanduser()
  checks = {'boxes': _boxes, 'masks': _masks, 'tags': _tags}
  checked = checks[kind](root, annotations_at, split)
  found = findings(checked.faults)
  _print(kind, checked, found)
  _write(out, root, checked, found)
  return found


def findings(faults: Sequence[annotations.Fault]) -> tuple[Finding, ...]:
  """A finding for each kind of fault, the serious ones first."""
  found = []
  for kind, own in annotations.by_kind(faults).items():
    severity, advice = ADVICE[kind]
    names = tuple(dict.fromkeys(fault.file for fault in own))
    details = collections.defaultdict(list)
    for fault in own:
      if fault.detail:
        details[fault.file].append(fault.detail)
    remarks = {file: _remark(all_of_it) for file, all_of_it in details.items()}
    line = annotations.counted(kind, len(own))
    found.append(Finding(kind, severity, advice, Found(line, names, (), remarks)))
  return tuple(sorted(found, key=lambda one: SEVERITIES.index(one.severity)))


def _remark(details):
  more = f'; and {len(details) - _REMARKS:,} more' if len(details) > _REMARKS else ''
  return '; '.join(details[:_REMARKS]) + more


def format_of(folder: str) -> str:
  """'COCO', 'VOC' or 'YOLO' where boxes lie beside the pictures of a folder, or ''."""
  root = folder_layout.find_root(folder, '--data_dir')
  return box_folder.format_of(root)


def _boxes(root, annotations_at, split):
  found = box_folder.read_boxes(root, annotations_at, go_on=True)
  broken = [fault for fault in found.faults if fault.kind == 'broken']
  if broken and not found.pictures:
    raise DataError(f'{broken[0].detail}; nothing else in {root} can be read either')
  faults = [*found.faults, *_unreadable(root, found.pictures)]
  faults += _alike(found.class_names)
  counts = {name: collections.Counter() for name in found.class_names}
  try:
    by_part = _by_part(found.pictures, root, split)
  except DataError:
    if not broken:
      raise
    by_part = {'train': found.pictures}  # too few are left for two parts
  for part, pictures in by_part.items():
    for picture in pictures:
      for label in picture.classes:
        counts[found.class_names[label]][part] += 1
  faults += _untrained(counts)
  none = np.zeros((0, 4), np.float32)
  boxes = np.concatenate([none, *(picture.boxes for picture in found.pictures)])
  classes = np.concatenate([[], *(picture.classes for picture in found.pictures)])
  sides = np.sqrt(np.prod(boxes[:, 2:] - boxes[:, :2], axis=1))
  sizes = {
    name: float(np.median(sides[classes == label]))
    for label, name in enumerate(found.class_names)
    if (classes == label).any()
  }
  return Checked(tuple(faults), counts, sizes, len(found.pictures))


def _masks(root, annotations_at, split):
  found = mask_folder.read_masks(root, annotations_at)
  faults, names = list(found.faults), found.label_map.class_names
  counts = {name: collections.Counter() for name in names}

  faults += [*_unreadable(root, found.pictures), *_alike(names)]
  white = mask_files.white_of(found.label_map.table)

  def ids_of(picture):
    try:
      return mask_folder.ids_in(str(root / picture.mask), white)
    except DataError as error:
      return str(error)

  for part, pictures in _by_part(found.pictures, root, split).items():
    with concurrent.futures.ThreadPoolExecutor() as pool:
      for picture, ids in zip(pictures, pool.map(ids_of, pictures), strict=True):
        if isinstance(ids, str):
          faults.append(annotations.Fault(picture.mask, 'unreadable', ids))
          continue
        labels = found.label_map.table[ids]
        if unknown := ids[labels == mask_files.UNKNOWN].tolist():
          which = ', '.join(map(str, unknown))
          faults.append(annotations.Fault(picture.mask, 'unknown id', which))
        for label in labels[labels < len(names)]:
          counts[names[label]][part] += 1
  faults += _untrained(counts)
  return Checked(tuple(faults), counts, {}, len(found.pictures))


def _tags(root, annotations_at, split):
  found = tag_folder.read_tags(root, annotations_at)
  counts = {name: collections.Counter() for name in found.names}
  for part, photos in _by_part(found.photos, root, split).items():
    for photo in photos:
      for place in np.flatnonzero(photo.tags == 1):
        counts[found.names[place]][part] += 1
  faults = [*found.faults, *_unreadable(root, found.photos), *_alike(found.names)]
  faults += [
    annotations.Fault(photo.name, 'untold')
    for photo in found.photos
    if (photo.tags == tag_folder.UNKNOWN).all()
  ]
  faults += _untrained(counts)
  return Checked(tuple(faults), counts, {}, len(found.photos))


def _unreadable(root, pictures):
  """A fault of each picture that cannot be decoded to its end."""
  listed = [listing.File(picture.name, picture.part, '') for picture in pictures]
  paths = [str(root / picture.name) for picture in pictures]
  return [
    annotations.Fault(photo.name, 'unreadable', photo.problem)
    for photo in scan.scan(paths, listed)
    if not photo.is_read
  ]


def _alike(names):
  """A fault of names that a person would take for one."""
  groups = collections.defaultdict(list)
  for name in names:
    groups[''.join(re.split(r'[\s_-]+', name.casefold()))].append(name)
  return [
    annotations.Fault('classes', 'alike', ', '.join(f'"{name}"' for name in group))
    for group in groups.values()
    if len(group) > 1
  ]


def _untrained(counts):
  """A fault of each class that a part for training does not show."""
  return [
    annotations.Fault('classes', 'untrained', f'"{name}"')
    for name, own in counts.items()
    if not own['train']
  ]


def _by_part(pictures, root, split):
  """Part -> its pictures, as training takes them."""
  known = sorted({picture.part for picture in pictures if picture.part})
  return {
    part: picture_split.chosen(
      pictures, (part,), root, split, False, None, '--config.data.eval_split'
    )[0]
    for part in known or ('train', 'val')
  }


def _print(kind, checked, found):
  there = {part for own in checked.counts.values() for part in own}
  parts = [part for part in folder_layout.PARTS if part in there]
  what = 'boxes' if kind == 'boxes' else 'pictures with it'
  columns = [('class', 'left'), *((f'{part}: {what}', 'right') for part in parts)]
  if checked.sizes:
    columns.append(('median side of a box', 'right'))
  table = terminal.make_table(f'{checked.pictures:,} pictures', columns)
  for name, own in checked.counts.items():
    cells = [name, *(f'{own[part]:,}' for part in parts)]
    if checked.sizes:
      cells.append(f'{checked.sizes[name]:.1%}' if name in checked.sizes else '')
    terminal.add_row(table, *cells)
  terminal.show(table)
  for finding in found:
    names = finding.found.photos
    more = f' and {len(names) - 5:,} more' if len(names) > 5 else ''
    print(f'{finding.severity}: {finding.found.line}. {finding.advice}')
    for name in names[:5]:
      remark = finding.found.remarks.get(name, '')
      print(f'  {name}{f" ({remark})" if remark else ""}')
    if more:
      print(f'  {more.strip()}: {JSON_FILE}')
  if not found:
    print('nothing is wrong with the annotations')


def _write(out, root, checked, found):
  said = {
    'folder': str(root),
    'pictures': checked.pictures,
    'classes': {name: dict(own) for name, own in checked.counts.items()},
    'median_sides': dict(checked.sizes),
    'findings': [
      {
        'check': one.check,
        'severity': one.severity,
        'line': one.found.line,
        'advice': one.advice,
        'files': [
          {'file': fault.file, 'detail': fault.detail}
          for fault in checked.faults
          if fault.kind == one.check
        ],
      }
      for one in found
    ],
  }
  text = json.dumps(said, indent=2, ensure_ascii=False) + '\n'
  path = files.replace_file(out / JSON_FILE, text.encode('utf-8', 'backslashreplace'))
  print(f'report: {path}')
