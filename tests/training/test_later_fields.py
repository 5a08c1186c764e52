"""Runs of older versions go on: their configs are completed."""

import copy

import pytest

from configs import common
from mobilenet.training import later_fields
from mobilenet.training.errors import TrainingError
from mobilenet.training.workdir import Held, check_config, write_config


def base():
  return common.base().to_dict()


def lacking(field):
  *sections, name = field.split('.')
  config = base()
  place = config
  for section in sections:
    place = place[section]
  return config, place, name


@pytest.mark.parametrize('field', later_fields.FIELDS)
def test_a_run_without_a_later_field_is_that_of_its_default(field, tmp_path):
  config, place, name = lacking(field)
  del place[name]
  assert later_fields.completed(config) == base()
  write_config(tmp_path, config)
  (tmp_path / 'checkpoints' / '1' / 'default').mkdir(parents=True)
  assert check_config(tmp_path, base()) is Held.THIS_RUN


def test_whole_sections_may_be_missing():
  config = base()
  for section in ('teacher', 'report', 'head_first', 'contract'):
    del config[section]
  given = copy.deepcopy(config)
  assert later_fields.completed(config) == base()
  assert config == given


def test_another_value_is_another_run(tmp_path):
  config, place, name = lacking('loss.balance')
  del place[name]
  write_config(tmp_path, config)
  (tmp_path / 'checkpoints' / '1' / 'default').mkdir(parents=True)
  other = base()
  other['loss']['balance'] = 1.0
  with pytest.raises(TrainingError, match=r'loss.balance: 0.0 -> 1.0'):
    check_config(tmp_path, other)
