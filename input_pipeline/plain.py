"""Training batches as a tf.data tutorial writes them: the yardstick of the benchmark.

Decode the whole photo, then crop, resize, flip. No resumption, no keyed draws, no care
of unreadable files.
"""

import pathlib

import tensorflow as tf

AUGMENTATIONS = ('crop', 'v3')


def plain_batches(folder, augmentation: str, size: int, batch_size: int, threads: int):
  """Endless iterator of (float32 (batch, size, size, 3) in -1..1, int32 (batch,)).

  Args:
    folder: with class folders of JPEGs.
    augmentation: 'crop' (and flip) or 'v3', with its colours as well.
    threads: of tf.data.
  """
  paths = sorted(str(path) for path in pathlib.Path(folder).glob('*/*.jpg'))
  names = sorted({pathlib.Path(path).parent.name for path in paths})
  labels = [names.index(pathlib.Path(path).parent.name) for path in paths]

  def load(path, label):
    image = tf.io.decode_jpeg(tf.io.read_file(path), channels=3)
    begin, extent, _ = tf.image.sample_distorted_bounding_box(
      tf.shape(image),
      tf.constant([0.0, 0.0, 1.0, 1.0], shape=[1, 1, 4]),
      min_object_covered=0.0,
      aspect_ratio_range=(3 / 4, 4 / 3),
      area_range=(0.08, 1.0),
    )
    image = tf.image.resize(tf.slice(image, begin, extent), (size, size))
    image = tf.image.random_flip_left_right(image)
    image = tf.ensure_shape(image, (size, size, 3))
    if augmentation == 'v3':
      image = tf.image.random_brightness(image / 255.0, 32 / 255)
      image = tf.image.random_saturation(image, 0.5, 1.5)
      image = tf.clip_by_value(image, 0.0, 1.0) * 255.0
    return image * (2 / 255.0) - 1.0, label

  options = tf.data.Options()
  options.threading.private_threadpool_size = threads
  return (
    tf.data.Dataset.from_tensor_slices((paths, labels))
    .shuffle(len(paths))
    .repeat()
    .map(load, num_parallel_calls=tf.data.AUTOTUNE)
    .batch(batch_size)
    .prefetch(2)
    .with_options(options)
    .as_numpy_iterator()
  )
