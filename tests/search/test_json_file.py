"""What a search reads back from its folder is checked."""

import json

import pytest

from mobilenet.search import json_file
from mobilenet.search.json_file import NUMBER
from mobilenet.training.errors import TrainingError

SHAPE = {
  'unit': ('ms', 'bytes'),
  'networks': [{'name': str, 'width': NUMBER | None, 'shared': {str: NUMBER}}],
  'within': bool,
}
GOOD = {
  'unit': 'ms',
  'networks': [{'name': 'a', 'width': None, 'shared': {'loss': 1, 'top1': 2.5}}],
  'within': True,
  'more': [],
}


def written(tmp_path, value):
  path = tmp_path / 'file.json'
  path.write_text(value if isinstance(value, str) else json.dumps(value))
  return path


def test_what_is_as_it_should_be_is_read(tmp_path):
  assert json_file.read(written(tmp_path, GOOD), SHAPE, 'remove it') == GOOD


@pytest.mark.parametrize(
  ('value', 'says'),
  [
    ('', 'Expecting value'),
    (json.dumps(GOOD)[:20], 'Unterminated|Expecting'),
    ('[' * 100_000, 'recursion'),
    ([], r"what it holds cannot be '\[\]'"),
    (None, "what it holds cannot be 'None'"),
    ({}, 'unit is lacking'),
    ({**GOOD, 'unit': 'x'}, "unit cannot be 'x'"),
    ({**GOOD, 'unit': []}, 'unit cannot be'),
    ({**GOOD, 'networks': {}}, 'networks cannot be'),
    ({**GOOD, 'networks': [5]}, "networks cannot be '5'"),
    ({**GOOD, 'networks': [{'name': 'a', 'width': 'b'}]}, "width cannot be 'b'"),
    (
      {**GOOD, 'networks': [{'name': 'a', 'width': 1, 'shared': {'loss': 'x'}}]},
      "loss cannot be 'x'",
    ),
    ({**GOOD, 'within': 1}, "within cannot be '1'"),
    (
      {**GOOD, 'networks': [{'name': 'a', 'width': True, 'shared': {}}]},
      "width cannot be 'True'",
    ),
  ],
)
def test_anything_else_is_one_line(tmp_path, value, says):
  path = written(tmp_path, value)
  with pytest.raises(TrainingError, match=says) as error:
    json_file.read(path, SHAPE, 'remove it')
  line = str(error.value)
  assert line.startswith(f'{path} is damaged (')
  assert line.endswith('): remove it')
  assert '\n' not in line
