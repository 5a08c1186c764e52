"""Importing TensorFlow is quiet, and hides nothing that is no remark."""

import os

import pytest

import input_pipeline

REMARKS = b"""WARNING: All log messages before absl::InitializeLog() is called
I0000 00:00:1 port.cc:153] oneDNN custom operations are on.
"""


@pytest.mark.parametrize('level', [None, '1'])
def test_remarks_are_left_out_and_all_else_is_written(monkeypatch, capfd, level):
  monkeypatch.delenv('TF_CPP_MIN_LOG_LEVEL', raising=False)
  if level:
    monkeypatch.setenv('TF_CPP_MIN_LOG_LEVEL', level)
  with pytest.raises(KeyError), input_pipeline.quiet():  # noqa: PT012
    assert os.environ['TF_CPP_MIN_LOG_LEVEL'] == '3'
    os.write(2, REMARKS + b'E0000 00:00:1 a.cc:1] a mistake\n')
    raise KeyError
  os.write(2, b'later\n')
  assert capfd.readouterr().err == 'E0000 00:00:1 a.cc:1] a mistake\nlater\n'
  assert os.environ.get('TF_CPP_MIN_LOG_LEVEL') == level


def test_who_asks_for_more_is_told_all(monkeypatch, capfd):
  monkeypatch.setenv('TF_CPP_MIN_LOG_LEVEL', '0')
  with input_pipeline.quiet():
    os.write(2, REMARKS)
  assert capfd.readouterr().err == REMARKS.decode()
