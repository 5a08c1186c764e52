"""check.html: what was found, with pictures of it."""

import dataclasses
import pathlib
from collections.abc import Sequence

import numpy as np
from markupsafe import Markup

from mobilenet.data_check import drawing, scan, shortcuts
from mobilenet.data_check.facts import Facts, printable
from mobilenet.data_check.findings import NOTE, SERIOUS, SEVERITIES, Finding
from mobilenet.data_check.shortcuts import Strength
from mobilenet.data_check.writing import CSV_FILE, JSON_FILE, PAGE_FILE
from mobilenet.reports import page

SIDE = 112  # px of a thumbnail: 4 kB in the page
# Thumbnails in all: with them the page stays below 5 MB.
SHEET, PER_CLASS, SAMPLES = 360, 12, 12
GROUPS, DOUBTED = 8, 24
FEW_NAMES = 12  # are not folded away where there is no picture
NAMES, ROWS = 100, 300  # in lists and tables; check.json has all of them
_TITLES = {SERIOUS: 'Serious', 'look': 'To look at', NOTE: 'Good to know'}


@dataclasses.dataclass(frozen=True)
class Samples:
  """What the augmentation makes of some photos.

  ops: the op string. photos: (name, pictures) of each; uint8 (H, W, 3).
  """

  ops: str
  photos: tuple[tuple[str, Sequence[np.ndarray]], ...]


def write(
  folder: pathlib.Path,
  facts: Facts,
  findings: Sequence[Finding],
  measured: dict[str, Strength],
  not_done: Sequence[str],
  samples: Samples | None = None,
) -> pathlib.Path:
  """Writes check.html into a folder.

  Args:
    folder: where to.
    facts, findings: of the photos.
    measured: fact -> how well it alone names the class.
    not_done: a line for each check that was left out.
    samples: of the augmentation, if a config is known.

  Raises:
    TrainingError: it cannot be written.
  """
  listing = facts.listing
  pictured = _pictured(facts, findings)
  made = page.Page(
    printable(f'Check of {listing.root.resolve().name}'),
    f'{len(facts.photos):,} photos in {printable(str(listing.root))}',
  )
  made.section('In short', *_short(facts, findings, not_done))
  for severity in SEVERITIES:
    of_it = [finding for finding in findings if finding.severity == severity]
    made.section(_TITLES[severity], *_findings(of_it, facts, pictured))
  made.section('Classes', *_classes(facts))
  made.section(
    'Can the class be guessed without looking at the photo?', *_strengths(measured)
  )
  made.section('The classes in pictures', *_sheets(facts, pictured))
  if samples:
    made.section('What training sees', *_samples(samples))
  return made.write(folder / PAGE_FILE)


def _short(facts, findings, not_done):
  count = {s: sum(f.severity == s for f in findings) for s in SEVERITIES}
  yield page.headline(
    (
      (f'{len(facts.photos):,}', 'photos'),
      (f'{len(facts.listing.classes):,}', 'classes'),
      (f'{count[SERIOUS]}', 'serious findings'),
      (f'{count["look"]}', 'to look at'),
    )
  )
  if not count[SERIOUS]:
    yield page.notice('good', 'Nothing serious was found.')
  for line in not_done:
    yield page.notice('note', line)
  yield page.text(
    f'{JSON_FILE} has the names of all photos that are found, {CSV_FILE} a row of '
    'facts for each photo.'
  )


def _findings(findings, facts, pictured):
  kind = {SERIOUS: 'warning', 'look': 'note', NOTE: 'note'}
  for finding in findings:
    found = finding.found
    yield page.notice(kind[finding.severity], printable(_upper(found.line)))
    yield page.text(finding.advice)
    shown = _shown(finding, facts)
    pictures = [
      page.picture(pictured[name], _caption(name, found), side=SIDE)
      for name in shown
      if name in pictured
    ]
    if pictures:
      yield page.gallery(pictures, size='small')
    if found.groups:
      lines = [f'{n}: {" = ".join(g)}' for n, g in enumerate(found.groups, 1)]
    elif found.photos:
      lines = [_with(name, found.remarks) for name in found.photos]
    else:
      lines = [_with(name, found.remarks) for name in found.remarks]
    if lines:
      yield _list(lines, folded=bool(pictures) or len(lines) > FEW_NAMES)


def _list(lines, *, folded: bool) -> Markup:
  kept = [printable(line) for line in lines[:NAMES]]
  if len(lines) > NAMES:
    kept.append(f'and {len(lines) - NAMES:,} more: see {JSON_FILE}')
  return page.details('Names', page.items(kept)) if folded else page.items(kept)


def _with(name, remarks):
  return f'{name}: {remarks[name]}' if name in remarks else name


def _caption(name, found):
  """The number of its group, a word about the photo, its name."""
  numbers = [f'{n}:' for n, group in enumerate(found.groups, 1) if name in group]
  remark = [f'{found.remarks[name]};'] if name in found.remarks else []
  return printable(' '.join([*numbers, *remark, name]))


def _upper(line):
  return line[:1].upper() + line[1:]


def _shown(finding, facts) -> list[str]:
  """Names of the photos whose pictures stand by a finding."""
  if finding.found.groups:
    return [name for group in finding.found.groups[:GROUPS] for name in group[:3]]
  if finding.check in ('single', 'few', 'unevaluated'):
    return []
  most = DOUBTED if finding.check == 'mislabelled' else 6
  return list(finding.found.photos[:most])


def _pictured(facts, findings) -> dict[str, np.ndarray]:
  """Name -> a small picture of each photo that the page shows."""
  readable = {photo.name for photo in (*facts.readable, *facts.others) if photo.is_read}
  names = dict.fromkeys(
    name for finding in findings for name in _shown(finding, facts) if name in readable
  )
  names |= dict.fromkeys(name for some in _of_classes(facts).values() for name in some)
  paths = [facts.listing.path(name) for name in names]
  return dict(zip(names, scan.pictures(paths, SIDE), strict=True))


def _of_classes(facts) -> dict[str, list[str]]:
  """Class -> names of photos spread over it; of many classes the first ones alone."""
  by_class: dict[str, list[str]] = {}
  for photo in facts.labelled:
    by_class.setdefault(photo.class_name, []).append(photo.name)
  shown = sorted(by_class)[:SHEET]
  each = max(1, min(PER_CLASS, SHEET // max(1, len(shown))))
  chosen = {}
  for name in shown:
    photos = by_class[name]
    places = np.linspace(0, len(photos) - 1, min(each, len(photos))).round().astype(int)
    chosen[name] = [photos[place] for place in places]
  return chosen


def _sheets(facts, pictured):
  chosen = _of_classes(facts)
  for name, photos in chosen.items():
    total = facts.listing.counts[name].total()
    yield page.heading(printable(f'{name}: {total:,}'))
    pictures = [
      page.picture(pictured[photo], printable(photo.rpartition('/')[2]), side=SIDE)
      for photo in photos
    ]
    yield page.gallery(pictures, size='small')
  if len(facts.listing.classes) > len(chosen):
    yield page.text(
      f'The first {len(chosen):,} of {len(facts.listing.classes):,} classes are shown.'
    )


def _classes(facts):
  listing = facts.listing
  if not listing.classes:
    return
  parts = listing.parts or ('',)
  yield page.figure(
    drawing.class_sizes(listing.counts, parts), 'Photos of each class', dpi=80
  )
  rows = [
    (
      printable(name),
      *(f'{listing.counts[name][part]:,}' for part in parts),
      f'{listing.counts[name].total():,}',
    )
    for name in listing.classes
  ]
  columns = ('class', *(part or 'photos' for part in parts), 'together')
  yield page.details('Table', page.table(columns, rows[:ROWS]))
  if len(rows) > ROWS:
    yield page.text(f'The first {ROWS} classes are shown; {JSON_FILE} has all.')


def _strengths(measured):
  if not measured:
    return
  yield page.text(
    'For each photo, the class is guessed from one fact alone. Near the share of a '
    'guess the fact says nothing. Far above it a network may learn the fact instead of '
    'what is shown.'
  )
  rows = [
    (
      name,
      f'{found.share:.0%}',
      f'{found.low:.0%} to {found.high:.0%}',
      f'{found.chance:.0%}',
    )
    for name, found in measured.items()
  ]
  yield page.table(('fact', 'classified correctly', 'interval (95 %)', 'a guess'), rows)
  pixels = ', '.join(fact.name for fact in shortcuts.FACTS if not fact.of_file)
  yield page.text(f'Of {pixels}, some may belong to what is shown.')


def _samples(samples):
  yield page.text(f'Photos as the first epochs of the training see them: {samples.ops}')
  for name, pictures in samples.photos:
    yield page.gallery(
      [
        page.picture(
          picture, printable(f'{name.rpartition("/")[2]}, epoch {n}'), side=SIDE
        )
        for n, picture in enumerate(pictures, 1)
      ],
      size='small',
    )
