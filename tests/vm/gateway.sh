#!/bin/bash
# tests/vm/gateway.sh BUILD: the main scenario on a kernel that has ESP, as root inside the guest of tests/vm/run.
# cgwd uses the kernel data plane, strongSwan on AWS's side kernel ESP as well.
set -u
here=$(dirname "$(readlink -f "$0")")
build=${1:-${CGW_BUILD:-}}
[ -n "$build" ] || { echo "gateway.sh: which build directory? gateway.sh BUILD" >&2; exit 2; }
modprobe -aq esp4 xfrm_user xfrm_interface gcm seqiv echainiv authenc aesni_intel veth tun bridge nf_tables \
  nft_chain_nat nft_masq nft_ct nft_counter 2>/dev/null
mkdir -p /dev/net
[ -c /dev/net/tun ] || mknod /dev/net/tun c 10 200
ip link set lo up
exec python3 "$here/gateway.py" "$build"
