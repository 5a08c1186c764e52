"""What is wrong with pictures that have boxes, masks, tags or places, by file names."""

import collections
import json
import pathlib
from collections.abc import Sequence

from input_pipeline import folder_layout
from input_pipeline.annotated import annotations, box_folder
from mobilenet.data_check import mark_kinds
from mobilenet.data_check.facts import Found
from mobilenet.data_check.findings import LOOK, NOTE, SERIOUS, SEVERITIES, Finding
from mobilenet.data_check.mark_kinds import KINDS, Asked
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
  'nowhere': (
    LOOK,
    'Some programs write that where they know no place: remove the rows if that is so.',
  ),
  'in no cell': (
    NOTE,
    'Too few others lie there (data.cells.fewest). Training leaves them out; '
    'evaluation counts their distance.',
  ),
  'small cell': (
    NOTE,
    'Whoever gets the network learns where these were taken: set data.cells.fewest to '
    f'{mark_kinds.SMALL} before you give it away.',
  ),
  'few cells': (
    SERIOUS,
    'Training needs two. Lower both numbers: --config=configs/places.py:most=200,'
    'fewest=20 --config.data.dir=FOLDER.',
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


def check(kind: str, asked: Asked, out: pathlib.Path) -> tuple[Finding, ...]:
  """Checks a folder, prints what is found and writes check.json.

  Every picture is decoded, and every mask.

  Args:
    kind: one of `mark_kinds.KINDS`.
    asked: what is checked.
    out: for check.json.

  Raises:
    DataError: what training would refuse.
  """
  checked = KINDS[kind].check(asked)
  found = findings(checked.faults)
  _print(KINDS[kind], checked, found)
  _write(out, asked.root, checked, found)
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


def _print(kind, checked, found):
  there = {part for own in checked.counts.values() for part in own}
  parts = [part for part in folder_layout.PARTS if part in there]
  columns = [(kind.row, 'left')]
  columns += [(f'{part}: {kind.counted}', 'right') for part in parts]
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
