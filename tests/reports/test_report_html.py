"""The page of a run: every part is there, nothing is fetched, and it is not large."""

import html.parser
import json
import re
import shutil
import subprocess
import types

import numpy as np
import pytest

from configs import common
from mobilenet import trained
from mobilenet.reports import run_report
from mobilenet.tasks import Evaluated
from mobilenet.tasks.classification import Classification
from mobilenet.training.evaluation import Evaluation

CHROMIUM = next(
  filter(None, map(shutil.which, ('chromium', 'chromium-browser', 'google-chrome'))),
  None,
)
SECTIONS = (
  'In short',
  'Where it fails',
  'Each class',
  'How sure it is',
  'How the training went',
  'The data',
  'About this network',
)


class Seen(html.parser.HTMLParser):
  """Links, ids, what would be fetched, headings, and the visible text."""

  def __init__(self, text):
    super().__init__()
    self.links, self.ids, self.fetched, self.headings = [], [], [], []
    self.words, self._heading = '', False
    self.feed(text)

  def handle_starttag(self, tag, attributes):
    attributes = dict(attributes)
    self.links += [attributes['href']] if 'href' in attributes else []
    self.ids += [attributes['id']] if 'id' in attributes else []
    self.fetched += [attributes['src']] if 'src' in attributes else []
    assert tag not in ('script', 'link', 'iframe')
    self._heading = tag == 'h2'

  def handle_data(self, data):
    if self._heading:
      self.headings.append(data)
    self._heading = False
    self.words += data


class Examples:
  """Noisy photos, which JPEG cannot make small."""

  def describe(self, index):
    return f'/photos/val/rose/{index}.jpg'

  def pictures(self, indexes):
    rng = np.random.default_rng(0)
    for index in indexes:
      yield int(index), rng.integers(0, 256, (600, 800, 3), dtype=np.uint8)


def report(folder, number, names, seed=0):
  """The page of made predictions, many of them wrong."""
  rng, classes = np.random.default_rng(seed), len(names)
  labels = np.arange(number) % classes
  logits = rng.normal(size=(number, classes)).astype(np.float32)
  logits[np.arange(number), labels] += 1 + np.log(classes) / 2
  powers = np.exp(logits)
  probabilities = powers / powers.sum(axis=1, keepdims=True)
  kept = {
    'index': np.arange(number),
    'label': labels,
    'prediction': probabilities.argmax(axis=1),
    'probabilities': probabilities,
  }
  config = common.base()
  config.model.name = 'mobilenet_v2'
  run = trained.Run(folder, config, None, None, tuple(names), 12)
  history = [
    {'kind': kind, 'step': step, 'epoch': step / 4, 'loss': 1 / step, 'top1': 60 + step}
    for step in (4, 8, 12)
    for kind in ('train', 'eval')
  ]
  evaluated = Evaluated(
    folder / 'report',
    Evaluation({}, number, 1, 0, kept),
    tuple(names),
    Examples(),
    split='val',
    num_examples=number + 1,
    run=run,
    ops={'training': 'flip', 'evaluation': 'resize(32)'},
    history=history,
    counts={'training': dict.fromkeys(names, 7)},
    chose=True,
    decide=True,
    left_out=('/photos/train/rose/broken.jpg',),
  )
  data = types.SimpleNamespace(origin='/photos', notes=('a note on the data',))
  run_report.write_report(
    Classification(), evaluated, size=(1000, 2_000_000), data=data
  )
  return folder / 'report' / run_report.PAGE


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
  """Heat without a network: it is tested where it is made."""
  from mobilenet.tasks.classification import activation_map

  monkeypatch.setattr(activation_map, 'on_one_device', lambda variables: variables)
  monkeypatch.setattr(activation_map, 'heat_of', lambda model: None)
  monkeypatch.setattr(
    activation_map,
    'activation_maps',
    lambda model, variables, images, *_: np.ones((len(images), 3, 3)),
  )


def test_every_part_is_there_and_nothing_is_fetched(tmp_path):
  path = report(tmp_path, 200, ['daisy', 'rose', '<tulip> & co'])
  seen = Seen(path.read_text(encoding='utf-8'))
  assert tuple(seen.headings) == SECTIONS
  assert [link.removeprefix('#') for link in seen.links] == seen.ids
  assert all(source.startswith('data:image/') for source in seen.fetched)
  assert sum(source.startswith('data:image/jpeg') for source in seen.fetched) >= 10
  words = ' '.join(seen.words.split())
  for part in (
    '<tulip> & co',
    'a note on the data',
    'rose/200.jpg',  # the unreadable one, by name
    'train/rose/broken.jpg',  # and that of training
    'somewhat too good',
    'no approval for decisions',
    'resize(32)',
    'temperature of',
  ):
    assert part in words
  made = {each.name for each in path.parent.iterdir()}
  assert made >= {
    'calibration.json',
    'classes.csv',
    'classes.json',
    'confusion.png',
    'mistakes.png',
    'predictions.csv',
  }


def test_two_classes_have_thresholds(tmp_path):
  path = report(tmp_path, 200, ['well', 'ill'])
  seen = Seen(path.read_text(encoding='utf-8'))
  assert 'The threshold for calling a photo ill' in seen.headings
  lines = (path.parent / 'thresholds.csv').read_text().splitlines()
  assert lines[0] == 'threshold,sensitivity,specificity,precision,flagged,mark'
  assert sum('best balanced accuracy' in line for line in lines) == 1
  decided = json.loads((tmp_path / 'decision.json').read_text())
  assert str(decided['threshold']) in '\n'.join(lines)


@pytest.mark.heavy
def test_a_thousand_classes_stay_below_five_megabytes(tmp_path):
  path = report(tmp_path, 3000, [f'class number {n}' for n in range(1000)])
  assert path.stat().st_size < 5e6
  seen = Seen(path.read_text(encoding='utf-8'))
  assert 'all rows are in classes.csv' in seen.words
  assert len((path.parent / 'classes.csv').read_text().splitlines()) == 1001


def test_too_few_photos_leave_no_decision(tmp_path):
  (tmp_path / 'decision.json').write_text('of earlier weights')
  seen = Seen(report(tmp_path, 20, ['a', 'b']).read_text(encoding='utf-8'))
  assert 'too few to choose a temperature' in seen.words
  assert not (tmp_path / 'decision.json').exists()


@pytest.mark.skipif(CHROMIUM is None, reason='no Chromium or Chrome is installed')
@pytest.mark.parametrize('width', [390, 1000])
def test_a_browser_shows_it_without_complaint_or_overflow(tmp_path, width):
  path = report(tmp_path, 200, ['a class of a rather long name' * 3, 'ill'])
  probe = tmp_path / 'probe.html'
  # In a frame, since a window of a browser has a least width.
  probe.write_text(
    f'<iframe id=f width={width} height=900 src="{path.as_uri()}"></iframe><script>'
    'f.onload = () => { const d = f.contentDocument.documentElement;'
    ' document.title = `${d.scrollWidth} of ${d.clientWidth}`; }</script>'
  )
  done = subprocess.run(
    [
      *(CHROMIUM, '--headless', '--no-sandbox', '--disable-gpu', '--dump-dom'),
      *('--allow-file-access-from-files', '--enable-logging=stderr', '--v=0'),
      *(f'--user-data-dir={tmp_path / "profile"}', '--virtual-time-budget=5000'),
      probe.as_uri(),
    ],
    capture_output=True,
    text=True,
    timeout=120,
    check=True,
  )
  title = re.search(r'<title>(\d+) of (\d+)</title>', done.stdout)
  assert title, done.stdout[:500]
  whole, shown = map(int, title.groups())
  assert shown > width - 30
  assert whole <= shown
  assert 'CONSOLE' not in done.stderr
