"""The search for a learning rate as a person uses it; no run is begun."""

import csv

import pytest

from mobilenet.runs import find_rate
from mobilenet.training.rate_range import Suggestion
from tests import tiny


def look(*arguments):
  return tiny.run('--job=find_rate', *tiny.CONFIG, *arguments)


def error(*arguments):
  done = look(*arguments)
  assert done.returncode == 1, done.stdout
  (line,) = [one for one in done.stderr.splitlines() if one.startswith('error: ')]
  return line


@pytest.fixture(scope='module')
def found(tmp_path_factory):
  """A test up to rates that no network survives."""
  out = tmp_path_factory.mktemp('rates') / 'out'
  done = look(f'--out={out}', '--steps=24', '--highest=1e4')
  assert done.returncode == 0, done.stderr
  return out, done.stdout


def test_the_line_to_type_comes_last(found):
  _, said = found
  last = said.splitlines()[-1]
  assert last.startswith('--config.schedule.learning_rate=')
  assert 1e-5 < float(last.partition('=')[2]) < 1e4
  assert 'tiny x0.25 at 32 px: 24 steps of 16 images, learning rate 1e-05 to 1' in said
  assert 'ended after ' in said


def test_only_figure_and_table_are_left(found):
  out, _ = found
  assert {p.name for p in out.iterdir()} == {'find_rate.png', 'find_rate.csv'}
  assert (out / 'find_rate.png').read_bytes()[:4] == b'\x89PNG'
  rows = list(csv.DictReader((out / 'find_rate.csv').read_text().splitlines()))
  assert list(rows[0]) == ['learning_rate', 'loss', 'smoothed_loss']
  rates = [float(row['learning_rate']) for row in rows]
  assert rates[0] == pytest.approx(1e-5, rel=1e-4)
  assert rates[1] / rates[0] == pytest.approx(1e9 ** (1 / 23), rel=1e-4)
  assert len(rows) < 24


def test_nothing_to_suggest_is_an_error_and_still_drawn(tmp_path):
  line = error(f'--out={tmp_path}', '--steps=10', '--lowest=1e-9', '--highest=1e-8')
  assert line == (
    'error: no rate is suggested: the loss neither falls by more than the noise of its '
    'batches nor climbs; try more --steps than 10, or other rates than --lowest=1e-09 '
    'to --highest=1e-08'
  )
  assert (tmp_path / 'find_rate.png').exists()


@pytest.mark.parametrize(
  ('arguments', 'line'),
  [
    (['--steps=9'], '--steps=9 must be at least 10'),
    (['--lowest=2'], '--lowest=2 must be above 0 and below --highest=1'),
    (['--config.data.name=folder'], '--config.data.dir'),
    (['--config.schedule.name=cosin'], 'did you mean cosine?'),
  ],
)
def test_mistakes_are_one_line(arguments, line, tmp_path):
  assert line in error(*arguments, f'--out={tmp_path / "out"}')
  assert list(tmp_path.iterdir()) == []


def test_a_config_is_needed_and_numbers_are_numbers():
  done = tiny.run('--job=find_rate')
  assert (done.returncode, done.stderr.count('\n')) == (1, 1)
  assert done.stderr.startswith('error: --job=find_rate needs an experiment')
  done = look('--lowest=small')
  assert (done.returncode, done.stderr.count('\n')) == (2, 1)
  assert '--lowest=small' in done.stderr


@pytest.mark.heavy
def test_the_classifier_learns_first_where_the_config_says_so(tmp_path):
  done = look(
    f'--out={tmp_path / "out"}',
    '--steps=10',
    '--highest=1e6',
    '--config.head_first.epochs=1',
  )
  assert done.returncode in (0, 1), done.stderr
  assert 'first the classifier alone, for 1 epochs:' in done.stdout
  assert [p.name for p in tmp_path.iterdir()] == ['out']


def test_rates_are_told_as_the_config_has_them():
  lines = list(find_rate._told(Suggestion(0.4, 0.8, 1.6, True), 4.0, 1.0))
  assert lines == [
    'suggested is the rate at which the loss falls fastest, 0.1',
    'the loss is least at 0.2 and climbs from 0.4 on',
    'note: it still falls at the highest rate; --highest=10 looks further',
    'note: these are as the config has them; schedule.reference_batch_size multiplies '
    'them by 4, which table and figure show',
  ]
  lines = list(find_rate._told(Suggestion(0.1, None, 0.3, False), 1.0, 1.0))
  assert lines[1] == 'it climbs from 0.3 on; suggested is 1/3 of that, 0.1'
