"""Which folders of checkpoints count."""

from mobilenet.training import step_folders


def make(folder, *names):
  for name in names:
    (folder / name).mkdir(parents=True)
    (folder / name / 'something').write_text('')


def test_a_number_with_something_in_it_counts(tmp_path):
  assert step_folders.steps(tmp_path / 'missing') == []
  make(tmp_path, '10', '9', '20.orbax-checkpoint-tmp', '30.damaged', 'x', '007', '4²')
  (tmp_path / '40').mkdir()
  (tmp_path / '50').write_text('a file')
  assert step_folders.steps(tmp_path) == [9, 10]


def test_empty_ones_make_room_and_nothing_else_does(tmp_path):
  make(tmp_path, '10', 'x')
  for name in ('20', 'empty', '30.damaged'):
    (tmp_path / name).mkdir()
  (tmp_path / '50').write_text('a file')
  step_folders.remove_empty(tmp_path)
  left = {path.name for path in tmp_path.iterdir()}
  assert left == {'10', 'x', 'empty', '30.damaged', '50'}


def test_a_step_may_be_set_aside_more_than_once(tmp_path):
  for name in ('10.damaged', '10.damaged-2'):
    make(tmp_path, '10')
    assert step_folders.set_aside(tmp_path, 10) == tmp_path / name
    assert (tmp_path / name / 'something').is_file()
  assert step_folders.steps(tmp_path) == []
