"""--job=plan: what a step takes of a TPU, compiled without one.

    pip install -r requirements-plan.txt && pytest tests/jobs/test_plan.py

Without libtpu all but the mistakes is skipped.
"""

import importlib.util
import re

import pytest

from tests import tiny

needs_libtpu = pytest.mark.skipif(
  importlib.util.find_spec('libtpu') is None,
  reason='libtpu compiles for TPUs: pip install -r requirements-plan.txt',
)


def plan(topology, *arguments):
  return tiny.run(
    *('--job=plan', '--config=configs/v3_small.py', f'--topology={topology}'),
    *('--config.model.name=tiny', '--config.resolution=32', '--num_classes=512'),
    *('--config.batch_size=256', *arguments),
  )


def number(pattern, text):
  return float(re.search(pattern, text)[1].replace(',', ''))


@needs_libtpu
def test_a_step_for_four_chips():
  done = plan('v5e:2x2')
  assert done.returncode == 0, done.stderr
  assert 'v5e:2x2: 4 devices of 1 hosts, a state on each; 64 images' in done.stdout
  assert 'of 16 GiB' in done.stdout
  parameters = number(r'([\d,]+) parameters', done.stdout)
  # A step adds up the gradient of every parameter, and the sums of the norms.
  reduced = (
    number(r'between devices: \d+ all-reduce \(([\d.]+) KiB', done.stdout) * 1024
  )
  assert 4 * parameters <= reduced < 5 * parameters
  # Weights, averages and two moments, in float32, and little else.
  stored = number(r'a checkpoint: ([\d.]+) KiB', done.stdout) * 1024
  assert 16 * parameters <= stored < 17 * parameters


@needs_libtpu
@pytest.mark.heavy
def test_devices_that_share_a_state_hold_less_and_gather_it():
  apart, shared = (
    plan('v5e:2x2', f'--config.shards={n}', '--config.model.remat').stdout
    for n in (1, 4)
  )
  assert '4 share a state' in shared
  assert 'all-gather' in shared
  assert 'all-gather' not in apart
  held = [number(r'\(([\d.]+) MiB state and batch', text) for text in (apart, shared)]
  assert held[1] < held[0]


@needs_libtpu
def test_what_does_not_fit_says_what_to_lower():
  done = plan('v5e:1x1', '--config.batch_size=65536', '--config.resolution=256')
  assert done.returncode == 1
  assert 'does not fit' in done.stderr
  assert '--config.accumulate' in done.stderr


@needs_libtpu
@pytest.mark.heavy
def test_several_slices_become_a_table():
  done = plan('v5e:1x1,v5e:2x2')
  assert done.returncode == 0, done.stderr
  header, _, *rows = [line for line in done.stdout.splitlines() if line[:1] == '|']
  assert [row.count('|') for row in rows] == [header.count('|')] * 2


@needs_libtpu
def test_a_slice_that_does_not_exist():
  done = plan('v5e:3x7')
  assert done.returncode == 1
  assert 'there is no such slice' in done.stderr
  assert 'Traceback' not in done.stderr


def test_mistakes_are_told_in_a_line():
  for topology, said in {
    '': 'needs a slice to plan for: --topology=v5e:4x4',
    'h100:8': '--topology=h100:8: give a kind of chip (v4, v5e, v5p, v6e)',
    'v5e': 'such as v5e:4x4 (16 chips)',
  }.items():
    done = plan(topology)
    assert done.returncode == 1
    assert said in done.stderr
    assert done.stderr.count('\n') == 1


@pytest.mark.skipif(
  importlib.util.find_spec('libtpu') is not None, reason='libtpu is installed'
)
def test_without_libtpu_it_says_what_to_install():
  done = plan('v5e:2x2')
  assert done.returncode == 1
  assert 'pip install -r requirements-plan.txt' in done.stderr
  assert done.stderr.count('\n') == 1
