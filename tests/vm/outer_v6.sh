#!/bin/bash
# tests/vm/outer_v6.sh BUILD: IPv6 outside on a kernel that has ESP, as root inside the guest of tests/vm/run. cgwd uses the
# kernel data plane, strongSwan on AWS's side kernel ESP as well; no NAT, so ESP goes without UDP.
set -u
here=$(dirname "$(readlink -f "$0")")
build=${1:-${CGW_BUILD:-}}
[ -n "$build" ] || { echo "outer_v6.sh: which build directory? outer_v6.sh BUILD" >&2; exit 2; }
modprobe -aq esp4 esp6 xfrm_user xfrm_interface gcm seqiv echainiv authenc aesni_intel veth tun bridge nf_tables \
  nft_counter 2>/dev/null
ip link set lo up
exec python3 "$here/outer_v6.py" "$build"
