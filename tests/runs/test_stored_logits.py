"""Files of logits: what is written is read, and what is wrong with others."""

import pathlib

import numpy as np
import pytest

from mobilenet.runs import stored_logits
from mobilenet.training.errors import TrainingError

STORED = stored_logits.Stored(
  ('train/a/1.jpg', 'train/b/ü 2.jpg'),
  np.array([[1.5, -2.0], [0.25, 1e4]], np.float32),
  ('a', 'b'),
  files={'train/a/1.jpg': (12, 2**32 - 1), 'train/b/ü 2.jpg': (7, 0), 'x.jpg': (-1, 0)},
)
EMBEDDED = STORED._replace(embeddings=np.array([[0, 1.5, -2], [3, 0, 0.25]]))


def test_what_is_written_is_read(tmp_path):
  path = tmp_path / 'logits.npz'
  stored_logits.write(path, STORED)
  back = stored_logits.read(path)
  assert (back.names, back.classes) == (STORED.names, STORED.classes)
  assert back.files == STORED.files
  np.testing.assert_array_equal(back.logits, STORED.logits)
  assert back.embeddings is None


def test_embeddings_are_stored_in_half_the_bytes(tmp_path):
  path = tmp_path / 'logits.npz'
  stored_logits.write(path, EMBEDDED)
  back = stored_logits.read(path)
  assert back.embeddings.dtype == np.float16
  np.testing.assert_array_equal(back.embeddings, EMBEDDED.embeddings)
  large = EMBEDDED._replace(embeddings=np.full((2, 3), 7e4))
  with pytest.raises(TrainingError, match=r'up to 7e\+04 cannot .* leave out --emb'):
    stored_logits.write(path, large)
  np.testing.assert_array_equal(
    stored_logits.read(path).embeddings, EMBEDDED.embeddings
  )


def test_rows_are_found_by_name():
  turned = EMBEDDED.of(STORED.names[::-1], pathlib.Path('l.npz'))
  assert turned.names == STORED.names[::-1]
  np.testing.assert_array_equal(turned.logits, STORED.logits[::-1])
  np.testing.assert_array_equal(turned.embeddings, EMBEDDED.embeddings[::-1])
  assert STORED.of(STORED.names, pathlib.Path('l.npz')).embeddings is None
  with pytest.raises(
    TrainingError, match=r"no logits of 1 of the 2 .* 'train/a/3\.jpg'"
  ):
    STORED.of(('train/a/1.jpg', 'train/a/3.jpg'), pathlib.Path('l.npz'))


@pytest.fixture
def of_two(tmp_path):
  """(folder, logits): of two photos in it, of which the second cannot be read."""
  for name in ('1.jpg', '2.jpg'):
    (tmp_path / name).write_bytes(name.encode() * 5000)
  names = ['1.jpg', '2.jpg']
  looked = dict(zip(names, stored_logits.looked_at(str(tmp_path), names), strict=True))
  return tmp_path, STORED._replace(
    names=('1.jpg',), logits=STORED.logits[:1], files=looked
  )


def test_a_photo_that_could_not_be_read_has_zeros_until_it_is_repaired(of_two):
  folder, stored = of_two
  names, path = ('2.jpg', '1.jpg'), pathlib.Path('l.npz')
  stored.check(str(folder), names, path)
  rows = stored.of(names, path).logits
  np.testing.assert_array_equal(rows, [[0, 0], STORED.logits[0]])
  (folder / '2.jpg').write_bytes(b'a photo')
  with pytest.raises(
    TrainingError, match=r"of other photos: 1 of 2 .* '2\.jpg'; write"
  ):
    stored.check(str(folder), names, path)


@pytest.mark.parametrize('content', [b'1.jpg' * 4999 + b'2.jpg', b'1', None])
def test_photos_of_equal_names_are_told_apart(of_two, content):
  folder, stored = of_two
  path = folder / '1.jpg'
  path.unlink() if content is None else path.write_bytes(content)
  with pytest.raises(
    TrainingError, match=r"of other photos: 1 of 2 .* '1\.jpg'; write"
  ):
    stored.check(str(folder), ('1.jpg', '2.jpg'), pathlib.Path('l.npz'))


def test_a_file_of_another_program_has_names_alone(of_two):
  folder, stored = of_two
  path = folder / 'logits.npz'
  np.savez(path, names=['1.jpg'], logits=stored.logits, classes=stored.classes)
  back = stored_logits.read(path)
  (folder / '1.jpg').write_bytes(b'another photo')
  back.check(str(folder), ('1.jpg',), path)
  with pytest.raises(TrainingError, match='no logits of 1 of the 2 photos'):
    back.check(str(folder), ('1.jpg', '2.jpg'), path)


@pytest.mark.parametrize(
  ('arrays', 'line'),
  [
    ({'names': None}, 'is no file of logits'),
    ({'names': np.array(['x', 3], object)}, 'is no file of logits'),
    ({'photos': np.array(['x'])}, 'is no file of logits'),
    ({'files': np.zeros(3)}, 'is no file of logits'),
    ({'names': np.array(['x'])}, r'has names \[1\], logits \[2, 2\]'),
    ({'classes': np.array(['a', 'b', 'c'])}, r'classes \[3\]'),
    ({'logits': np.zeros((2, 2), int)}, 'they must be strings'),
    (
      {'logits': np.array([[0.0, 1], [np.nan, 1]])},
      "the logits of 'train/b/ü 2.jpg' are not finite",
    ),
    (
      {'embeddings': np.array([[0.0, 1], [np.inf, 1]])},
      "the embeddings of 'train/b/ü 2.jpg' are not finite",
    ),
    ({'embeddings': np.zeros((3, 4))}, r'embeddings \[3, 4\]: these must be floats'),
    ({'embeddings': np.zeros((2, 4), int)}, r'these must be floats \[N, D\]'),
    ({'embeddings': np.zeros((2, 4, 4))}, r'embeddings \[2, 4, 4\]'),
  ],
)
def test_other_files_are_refused_in_a_line(tmp_path, arrays, line):
  path = tmp_path / 'logits.npz'
  stored_logits.write(path, EMBEDDED)
  with np.load(path) as written:
    whole = dict(written) | arrays
  np.savez(path, **{name: value for name, value in whole.items() if value is not None})
  with pytest.raises(TrainingError, match=line) as refused:
    stored_logits.read(path)
  assert '\n' not in str(refused.value)


def test_what_is_no_such_file_at_all(tmp_path):
  with pytest.raises(TrainingError, match='cannot read'):
    stored_logits.read(tmp_path / 'none.npz')
  (tmp_path / 'text.npz').write_text('logits')
  with pytest.raises(TrainingError, match='is no file of logits'):
    stored_logits.read(tmp_path / 'text.npz')
  np.save(tmp_path / 'one.npy', np.zeros(3))
  with pytest.raises(TrainingError, match='is no file of logits'):
    stored_logits.read(tmp_path / 'one.npy')
