"""Each rule of the first command, and that what it prints can be typed."""

import re
import shlex

import pytest

from mobilenet import command_line
from mobilenet.runs.first_command import Given, Seen, choose

WEIGHTS = Given('v2.pth', 224)


def words(command):
  assert command.startswith('python main.py ')
  return shlex.split(command)[1:]


@pytest.mark.parametrize(
  ('seen', 'weights', 'slow', 'config', 'size'),
  [
    (Seen(897, 3, 400), WEIGHTS, True, 'configs/transfer.py', 224),
    (Seen(897, 3, 200), WEIGHTS, True, 'configs/transfer.py', 192),
    (Seen(900, 3, 400), WEIGHTS, True, 'configs/finetune.py:epochs=20', 128),
    (Seen(2934, 5, 128), WEIGHTS, True, 'configs/finetune.py:epochs=7', 128),
    (Seen(90_000, 5, 50), WEIGHTS, True, 'configs/finetune.py:epochs=3', 96),
    (Seen(2934, 5, 400), WEIGHTS, False, 'configs/finetune.py:epochs=7', 224),
    (Seen(2934, 5, None), Given('v1', 128), False, 'configs/finetune.py:epochs=7', 128),
    (Seen(3000, 5, 128), None, True, 'configs/folder.py:resolution=96,epochs=50', None),
    (Seen(30, 2, 900), None, True, 'configs/folder.py:resolution=96,epochs=100', None),
    (
      Seen(900, 2, 170),
      None,
      False,
      'configs/folder.py:resolution=160,epochs=100',
      None,
    ),
  ],
)
def test_the_command_follows_the_photos(seen, weights, slow, config, size):
  advice = choose('my photos', seen, weights, slow=slow)
  argv = words(advice.train)
  assert f'--config={config}' in argv
  assert (f'--config.resolution={size}' in argv) == (size is not None)
  assert ('--config.init=v2.pth' in argv) == (weights == WEIGHTS)
  assert 2 <= len(advice.reasons) <= 3
  job, given = command_line.parse(argv)
  assert job.__name__.endswith('train')
  assert given.config.data.dir == 'my photos'
  assert given.config.resolution == (
    size or int(re.search(r'resolution=(\d+)', config)[1])
  )
  job, given = command_line.parse(words(advice.check))
  assert given.flags.data_dir == 'my photos'
  assert given.flags.init == (weights and weights.path)


def test_the_reason_names_the_number():
  advice = choose('photos', Seen(120, 3, 400), WEIGHTS, slow=True)
  assert '40 photos a class are fewer than 300' in advice.reasons[0]
