"""TFDS sets as `tfds build` leaves them, of a few examples."""

import pathlib


def write(folder: pathlib.Path, name: str, features: dict, splits: dict):
  """Writes a prepared set and returns its builder.

  Args:
    folder: that of the version, `<data_dir>/<name>/1.0.0`.
    name: of the set.
    features: of TFDS, by name.
    splits: name -> examples.
  """
  import tensorflow as tf
  import tensorflow_datasets as tfds

  folder.mkdir(parents=True)
  features, infos = tfds.features.FeaturesDict(features), []
  for split, examples in splits.items():
    file = f'{name}-{split}.tfrecord-00000-of-00001'
    with tf.io.TFRecordWriter(str(folder / file)) as writer:
      for example in examples:
        encoded = features.encode_example(example)
        writer.write(features.serialize_example(encoded))
    template = tfds.core.ShardedFileTemplate(
      data_dir=folder, dataset_name=name, split=split, filetype_suffix='tfrecord'
    )
    infos.append(
      tfds.core.SplitInfo(
        name=split,
        shard_lengths=[len(examples)],
        num_bytes=0,
        filename_template=template,
      )
    )
  tfds.folder_dataset.write_metadata(
    data_dir=str(folder), features=features, split_infos=infos
  )
  return tfds.builder_from_directory(str(folder))
