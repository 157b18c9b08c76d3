#!/bin/bash
# tests/vm/run tests/vm/interop.sh BUILD [SECONDS PEER:SUITE:ROLE...]: cgwd's kernel data plane against strongSwan and Libreswan
# with kernel ESP. SECONDS of rekeys by both sides for each; ROLE says who initiates, ours or theirs. "all": every suite.
set -u
here=$(dirname "$(readlink -f "$0")")
build=${1:?which build directory}
shift
export LIBRESWAN=${LIBRESWAN:-$REPO/build/libreswan/tree}
# pluto starts its helpers by their installed paths. (Writes go to the guest's memory.)
mkdir -p /usr/libexec
[ -e /usr/libexec/ipsec ] || ln -s "$LIBRESWAN/usr/libexec/ipsec" /usr/libexec/ipsec
modprobe -aq esp4 xfrm_user xfrm_interface gcm seqiv echainiv authenc cbc sha256_generic sha512_generic aesni_intel veth \
  nf_tables 2>/dev/null
if [ $# = 0 ]; then
  set -- 20 libreswan:gcm-ecp384:ours libreswan:sha256-modp2048:theirs strongswan:esn:theirs
elif [ "$1" = all ]; then
  set -- "${2:-60}"
  for role in ours theirs; do
    for suite in gcm-ecp384 gcm128-ecp256 sha256-modp2048 sha512-ecp384; do set -- "$@" libreswan:$suite:$role; done
    for suite in gcm-ecp384 sha256-ecp256 sha512-modp2048 esn; do set -- "$@" strongswan:$suite:$role; done
  done
fi
exec python3 "$here/interop.py" "$build" "$@"
