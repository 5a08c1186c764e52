"""What training says of a folder before it begins."""

import pytest

from mobilenet.runs import data_summary, training_data


@pytest.fixture
def told(config, tmp_path, capsys):
  """() -> what is printed of the photos as they are now."""

  def tell():
    data = training_data.open_data(config, tmp_path / 'run')
    capsys.readouterr()
    data_summary.tell(data.train, data.evaluation)
    return capsys.readouterr().out

  return tell


def test_counts_of_each_class(told):
  rows = [line.split() for line in told().splitlines()]
  assert ['a', '8', '2'] in rows
  assert ['b', '8', '2'] in rows
  assert 'warning' not in told()
  assert 'unbalanced' not in told()


def test_copies_between_the_splits_are_counted_and_named(
  told, config, photos, tmp_path
):
  data = training_data.open_data(config, tmp_path / 'run')
  copy = photos / data.evaluation.names[0]
  copy.write_bytes((photos / data.train.names[0]).read_bytes())
  assert (
    f'warning: 1 of these 4 examples were trained on ({copy}): new ones are harder; '
    '--job=check_data finds changed copies too\n'
  ) in told()


def test_imbalance_is_one_line(told, photos, write):
  write(photos, *(f'a/more{n}.jpg' for n in range(60)))
  assert 'note: the classes are unbalanced: a has 56 images for training, 7 times' in (
    told()
  )


def test_the_same_split_twice_is_all_of_it(told, config):
  config.data.eval_split = 'train'
  assert 'warning: all of these 16 examples were trained on' in told()


def test_other_data_has_no_table(told, config):
  config.data.name, config.data.eval_split = 'made', 'validation'
  assert told() == ''


def test_a_class_that_is_on_one_side_alone_is_named(told, photos, write):
  write(photos, 'lonely/0.jpg')
  assert (
    'warning: 1 class has no images for evaluation (lonely): nothing that is measured '
    'says how well they are found\n'
  ) in told()
