"""The list of all networks."""

import pytest

from mobilenet import command_line
from mobilenet.models import zoo
from mobilenet.training.errors import TrainingError


def run(*arguments):
  job, given = command_line.parse(['main.py', '--job=networks', *arguments])
  return job.run(given)


def test_networks_are_listed_with_their_counts(capsys):
  assert run('--match=mobilenet_v2') == 0
  out = capsys.readouterr().out
  assert 'mobilenet_v2' in out
  assert '3,504,872' in out
  assert '300.8 M' in out
  assert 'any' in out
  assert 'v3' not in out


def test_networks_of_fixed_widths_say_which(capsys):
  assert zoo.widths('shufflenet_v2') == '0.5, 1, 1.5, 2'
  run('--match=shufflenet_v2', '--resolution=64')
  assert '0.5, 1, 1.5, 2' in capsys.readouterr().out


def test_no_network_of_that_name():
  with pytest.raises(TrainingError, match="no network has 'v9' in its name"):
    run('--match=v9')
