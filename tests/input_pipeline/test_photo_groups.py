"""What says that photos belong together: a pattern or a table."""

import pytest

from input_pipeline import DataError
from input_pipeline.photo_groups import group_of


@pytest.mark.parametrize(
  ('pattern', 'expected'),
  [
    (r'patient\d+', 'patient12'),
    (r'patient(\d+)', '12'),
    (r'(ill|well)/patient(\d+)', 'ill/12'),
  ],
)
def test_what_a_pattern_takes_out_of_a_name(pattern, expected):
  assert group_of(['ill/patient12_3.png'], pattern) == {'ill/patient12_3.png': expected}


def test_a_table_names_the_groups(tmp_path):
  table = tmp_path / 'groups.csv'
  table.write_text('photo,plant\nill/1.png,p1\n2.png, p2 \nill\\3.png,p1\n')
  names = ['ill/1.png', 'well/2.png', 'ill/3.png']
  assert group_of(names, str(table)) == dict(
    zip(names, ('p1', 'p2', 'p1'), strict=True)
  )


def test_a_table_of_one_column_is_told(tmp_path):
  table = tmp_path / 'groups.csv'
  table.write_text('photo\n1.png\n')
  with pytest.raises(DataError, match='needs two columns'):
    group_of(['a/1.png'], str(table))


@pytest.mark.parametrize('name', ['g.CSV', 'G.Csv'])
@pytest.mark.parametrize('separator', [',', ';', '\t'])
def test_a_table_may_be_as_programs_write_it(name, separator, tmp_path):
  table = tmp_path / name
  table.write_text(separator.join(('photo', 'plant')) + f'\na/1.png{separator}p1\n')
  assert group_of(['a/1.png'], str(table)) == {'a/1.png': 'p1'}


@pytest.mark.parametrize(
  ('rows', 'message'),
  [
    (
      '1.png,p1',
      r'line 2: 1\.png may be a/1\.png or b/1\.png; name it by its path, a/1\.png$',
    ),
    (
      'a/1.png,p1\nb/1.png,p2\na/1.png,p3',
      r'puts a/1\.png into two groups: p1 \(line 2\) and p3 \(line 4\)',
    ),
    (
      '2.png,p1\nb/2.png,p2',
      r'puts b/2\.png into two groups: p1 \(line 2\) and p2 \(line 3\)',
    ),
    ('a/1.png,p1\na/1.png,', r'p1 \(line 2\) and none \(line 3\); remove one of them'),
  ],
)
def test_what_a_table_says_twice_is_refused(rows, message, tmp_path):
  table = tmp_path / 'groups.csv'
  table.write_text(f'photo,plant\n{rows}\n')
  with pytest.raises(DataError, match=message) as error:
    group_of(['a/1.png', 'b/1.png', 'b/2.png'], str(table))
  assert '\n' not in str(error.value)


def test_the_same_said_twice_is_no_contradiction(tmp_path):
  table = tmp_path / 'groups.csv'
  table.write_text('photo,plant\na/1.png,p1\n1.png,p1\na/1.png,p1\n')
  assert group_of(['a/1.png'], str(table)) == {'a/1.png': 'p1'}
