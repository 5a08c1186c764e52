"""The first command of a folder: asked for, given by flags, and refused in a line."""

import builtins

import numpy as np
import pytest
from PIL import Image

from input_pipeline import DataError
from mobilenet import command_line
from mobilenet.models.rows import ModelError
from mobilenet.training.errors import TrainingError


@pytest.fixture
def folder(tmp_path):
  """Class folders a and b; every photo 60 x 40, those of b grey."""
  rng = np.random.default_rng(0)
  for name, channels in (('a', 3), ('b', 1)):
    (tmp_path / 'photos' / name).mkdir(parents=True)
    for number in range(6):
      noise = rng.integers(0, 256, (40, 60, channels)).astype(np.uint8)
      photo = Image.fromarray(np.broadcast_to(noise, (40, 60, 3)))
      photo.save(tmp_path / 'photos' / name / f'{number}.png')
  return tmp_path / 'photos'


@pytest.fixture
def answers(monkeypatch):
  """A list of what a person types; after it, the end of the file."""
  typed, questions = [], []

  def answer(question):
    questions.append(question)
    if not typed:
      raise EOFError
    return typed.pop(0)

  monkeypatch.setattr(builtins, 'input', answer)
  return typed, questions


def start(*flags):
  job, given = command_line.parse(['main.py', '--job=start', *map(str, flags)])
  return job.run(given)


def test_folder_and_weights_are_asked_for(folder, answers, capsys):
  typed, questions = answers
  typed += [f' {folder} ', 'none']
  assert start() == 0
  assert [question.partition(' ')[0] for question in questions] == ['Folder', 'Weights']
  out = capsys.readouterr().out
  assert '12 photos, 2 classes, a part is set aside for evaluation' in out
  looked_at = (
    '12 photos looked at: 60 x 40 px (median), in colour, 50% of them grey, PNG'
  )
  assert looked_at in out
  assert f'    python main.py --job=check_data --data_dir={folder}\n' in out
  config = '--config=configs/folder.py:resolution=96,epochs=100'
  assert f'{config} --config.data.dir={folder}' in out


def test_flags_leave_nothing_to_ask(folder, answers, capsys):
  assert start(f'--data_dir={folder}', '--init=none') == 0
  assert answers[1] == []
  assert 'Then train:' in capsys.readouterr().out


@pytest.mark.parametrize(
  ('typed', 'flags', 'line'),
  [
    ([], [], r'^no answer; .*--data_dir=FOLDER$'),
    ([''], [], r'^no answer; .*--data_dir=FOLDER$'),
    ([], ['--data_dir={}'], r'--init=FILE or --init=none$'),
    (['none.pth'], ['--data_dir={}'], r'none\.pth'),
    (['{}x'], [], r'^no folder .*: did you mean photos\?; --data_dir='),
    (['{}/a'], [], r'^training cannot begin with .*no class folders in'),
  ],
)
def test_what_is_missing_or_wrong_is_a_line(folder, answers, typed, flags, line):
  answers[0].extend(text.format(folder) for text in typed)
  with pytest.raises((TrainingError, ModelError, DataError), match=line) as refused:
    start(*(flag.format(folder) for flag in flags))
  assert '\n' not in str(refused.value)


def test_what_cannot_be_read_is_named_and_not_counted(folder, answers, capsys):
  (folder / 'a' / '0.png').write_bytes(b'no photo')
  start(f'--data_dir={folder}', '--init=none')
  out = capsys.readouterr().out
  assert 'note: ' in out
  assert '0.png cannot be read' in out
  assert '11 photos looked at' in out


def test_imbalance_is_told(folder, answers, capsys):
  for number in range(2, 6):
    (folder / 'b' / f'{number}.png').unlink()
  for number in range(30):
    (folder / 'a' / f'more{number}.png').write_bytes((folder / 'a/1.png').read_bytes())
  start(f'--data_dir={folder}', '--init=none')
  assert 'the classes are unbalanced: a has' in capsys.readouterr().out


def test_weights_make_another_command(folder, tmp_path, answers, capsys):
  from mobilenet.models import zoo
  from mobilenet.models.initial import init_variables
  from mobilenet.weights import own_file
  from mobilenet.weights.contract import Contract

  model = {'name': 'mobilenet_v1', 'width': 0.25, 'num_classes': 4}
  variables = init_variables(zoo.create(**model), (32, 32, 3), 0)
  path = tmp_path / 'w.safetensors'
  own_file.save(
    path, own_file.Weights('ours', model, variables, Contract(resolution=128), None)
  )
  start(f'--data_dir={folder}', f'--init={path}')
  out = capsys.readouterr().out
  assert 'weights: ours' in out
  fields = f'--config.data.dir={folder} --config.init={path}'
  assert f'--config=configs/transfer.py {fields}' in out
