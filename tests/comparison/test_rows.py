"""The rows of made runs, whose mistakes are known."""

import numpy as np
import pytest

from mobilenet.comparison import finished, wording
from mobilenet.comparison import rows as comparison
from mobilenet.comparison.mcnemar import exact
from mobilenet.runs.latency import Latency


def compare(*folders, measured=None):
  return comparison.compare([finished.read(f) for f in folders], measured)


def test_two_runs(finish):
  """'b' is wrong on 0 to 3, 'a' on 2 to 12: 2 photos fall to 'a', 9 to 'b'."""
  a, b = finish('a', range(2, 13)), finish('b', range(4))
  best, other = compare(a, b, measured={b: Latency(1.5, 4000)})
  assert (best.run, other.run) == ('b', 'a')
  assert best.accuracy == pytest.approx(36 / 40)
  assert (best.accuracy_low, best.accuracy_high) == pytest.approx(
    (0.7695, 0.9604), abs=1e-4
  )
  assert (best.p, best.p_holm, best.only_best) == (None, None, None)
  assert (other.only_best, other.only_this) == (9, 2)
  assert other.p == other.p_holm == pytest.approx(exact(9, 2))
  assert not other.differs()
  # Two mistakes in each class of 20: precision, recall and so F1 are 0.9.
  assert best.macro_f1 == pytest.approx(0.9)
  assert (best.latency_ms, best.weights_bytes) == (1.5, 4000)
  assert (other.latency_ms, other.weights_bytes) == (None, None)
  assert (best.epochs, best.train_seconds, best.photos) == (3.0, 65.0, 40)
  assert wording.cells(best)[-3:] == ('1.5', '0.0', '65 s')
  assert wording.cells(other)[-3:] == ('–', '–', '65 s')


def test_of_equal_runs_the_cheaper_is_first_and_the_order_given_is_none(finish):
  dear, cheap, poor = finish('dear'), finish('ab'), finish('poor', range(20))
  for order in ((dear, cheap, poor), (poor, dear, cheap)):
    found = compare(*order)
    assert [row.run for row in found] == ['ab', 'dear', 'poor']
    assert found[1].p == 1.0
    assert found[2].p_holm == pytest.approx(2 * found[2].p)
    assert found[2].differs()


def test_examples_are_matched_by_name(finish):
  a, b = finish('a', (1, 2, 3)), finish('b', (1, 2, 3))
  path = b / 'report' / 'predictions.csv'
  head, *lines = path.read_text().splitlines()
  path.write_text('\n'.join([head, *reversed(lines)]) + '\n')
  _, other = compare(a, b)
  assert (other.only_best, other.only_this) == (0, 0)


def test_what_is_read_is_what_was_written(finish):
  run = finished.read(finish('a', (3,)))
  assert run.class_names == ('ash', '=birch')
  assert set(run.examples) == {f'-{n}.jpg' for n in range(40)}
  wrong = np.flatnonzero(run.labels != run.predictions)
  assert [run.examples[n] for n in wrong] == ['-3.jpg']


def test_folders_are_shown_as_a_person_types_them(finish, monkeypatch):
  runs = finish('a'), finish('b', (1,))
  monkeypatch.chdir(runs[0])
  assert [row.folder for row in compare(*runs)] == ['.', str(runs[1])]


def test_runs_of_one_name_are_told_apart(finish):
  rows = compare(finish('x/run'), finish('y/run', (1,)))
  assert [row.run for row in rows] == ['x/run', 'y/run']


@pytest.mark.parametrize(
  ('init', 'trained', 'words'),
  [
    ('', 'all', 'scratch'),
    ('/w/v2.pth', 'all', 'v2.pth, fine-tuned'),
    ('/w/v2.pth', 'classifier', 'v2.pth, frozen'),
    ('v2.pth', 'last 3', 'v2.pth, trained: last 3'),
  ],
)
def test_where_a_network_started(init, trained, words):
  assert comparison.start({'init': init, 'model': {'trained': trained}}) == words


def test_the_verdict_names_what_chance_may_explain_and_the_cheapest_of_it(finish):
  rows = compare(finish('dear', (1,)), finish('ab', (2, 3)), finish('poor', range(20)))
  said = ' '.join(wording.verdict(rows))
  assert 'dear is right most often, on 40 photos: 97.5 %' in said
  assert 'better than ab. That is no proof' in said
  assert 'ab needs the fewest multiply-adds, 2.0 times fewer' in said
  assert 'poor' not in said
  said = ' '.join(wording.verdict(compare(finish('one'), finish('bad', range(30)))))
  assert said.endswith('The other is worse by more than chance.')


def test_cautions_say_what_differs(finish):
  given = finish('g', init='v2.pth', resolution=128)
  said = ' '.join(wording.cautions(compare(given, finish('s'))))
  assert 'Rows from scratch' in said
  assert 'given weights and rows from scratch differ' in said
  assert 'resolutions differ' in said
  said = ' '.join(wording.cautions(compare(given, finish('h', init='v2.pth'))))
  assert 'scratch' not in said
