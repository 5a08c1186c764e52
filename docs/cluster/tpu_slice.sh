#!/bin/bash
# docs/cluster/tpu_slice.sh NAME ZONE BUCKET --config=configs/v3_large.py
#
# Starts a run on all hosts of a Cloud TPU slice that exists (gcloud compute tpus tpu-vm
# create NAME --zone=ZONE --accelerator-type=v5litepod-16 --version=v2-alpha-tpuv5-lite).
# JAX finds the hosts by the slice's own records. The workdir lies in the bucket, which
# each host mounts; so do prepared TFDS sets, below gs://BUCKET/tfds.
set -eu
name=$1 zone=$2 bucket=$3
shift 3

on_all_hosts() {
  gcloud compute tpus tpu-vm ssh "$name" --zone="$zone" --worker=all --command="$1"
}

# The checkout, packed here and unpacked on each host.
tar --exclude=.git --exclude=runs -czf /tmp/mobilenet.tar.gz .
gcloud compute tpus tpu-vm scp /tmp/mobilenet.tar.gz "$name:" --zone="$zone" --worker=all
on_all_hosts 'set -e
  mkdir -p mobilenet && tar -xzf mobilenet.tar.gz -C mobilenet
  python3 -m venv venv
  venv/bin/pip install -q -r mobilenet/requirements.txt "jax[tpu]"'

# https://cloud.google.com/storage/docs/cloud-storage-fuse
on_all_hosts "set -e
  command -v gcsfuse || { echo 'install gcsfuse on the hosts first'; exit 1; }
  mkdir -p ~/bucket
  mountpoint -q ~/bucket || gcsfuse --implicit-dirs --rename-dir-limit=100000 $bucket ~/bucket"

arguments=$(printf '%q ' "$@")
on_all_hosts "cd mobilenet && ../venv/bin/python main.py --multihost \
  --workdir=\$HOME/bucket/runs/$name --config.data.dir=\$HOME/bucket/tfds $arguments"
