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
)
EMBEDDED = STORED._replace(embeddings=np.array([[0, 1.5, -2], [3, 0, 0.25]]))


def test_what_is_written_is_read(tmp_path):
  path = tmp_path / 'logits.npz'
  stored_logits.write(path, STORED)
  back = stored_logits.read(path)
  assert (back.names, back.classes) == (STORED.names, STORED.classes)
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


@pytest.mark.parametrize(
  ('arrays', 'line'),
  [
    ({'names': None}, 'is no file of logits'),
    ({'names': np.array(['x', 3], object)}, 'is no file of logits'),
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
  whole = {k: np.asarray(v) for k, v in EMBEDDED._asdict().items()} | arrays
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
