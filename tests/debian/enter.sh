#!/bin/sh
# enter.sh TREE SCRATCH COMMAND [ARGUMENT…] - runs a command in a Debian of tree.sh's, of which SCRATCH keeps what has changed.
#
# SCRATCH/share is /mnt in it. Its network is this machine's, and so is its kernel; its services do not run.
set -eu
[ "${ENTERED-}" ] || ENTERED=yes exec unshare --mount --pid --fork --propagation private sh "$0" "$@"
tree=$1
cd "$2"
shift 2
mkdir -p changes work whole share
mount -t overlay -o "lowerdir=$tree,upperdir=changes,workdir=work" overlay whole
mount --bind share whole/mnt
mount -t proc proc whole/proc
mount --bind /dev whole/dev
exec env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 \
    DEBIAN_FRONTEND=noninteractive chroot whole "$@"
