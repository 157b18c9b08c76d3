#!/bin/bash
# tests/vm/run tests/vm/interop.sh BUILD [few|all|PEER:PROOF:ROLE[:MORE]...]: cgwd's kernel data plane against strongSwan,
# Libreswan and OpenIKED with kernel ESP (tests/vm/interop.py tells what there is to prove). few (default): a share of two minutes; all: every
# suite and every proof, an hour.
set -u
here=$(dirname "$(readlink -f "$0")")
build=${1:?which build directory}
shift
export PEER_PACKAGES=${PEER_PACKAGES:-$REPO/build/vm-peers/tree} PKI=${PKI:-$REPO/build/vm-pki}
# pluto starts its helpers by their installed paths. (Writes go to the guest's memory.)
mkdir -p /usr/libexec
[ -e /usr/libexec/ipsec ] || ln -s "$PEER_PACKAGES/usr/libexec/ipsec" /usr/libexec/ipsec
modprobe -aq esp4 xfrm_user xfrm_interface gcm seqiv echainiv authenc cbc sha1_generic sha256_generic sha512_generic aesni_intel \
  veth nf_tables nft_chain_nat nft_nat nf_nat 2>/dev/null
every() { # PEER
  local role kind who
  for role in ours theirs; do
    cases+=("$1:suites:$role:all")
    # Debian's port of OpenIKED loses packets by itself while SAs change hands, and after its restart.
    [ "$1" = openiked ] || cases+=("$1:rekeys:$role:180" "$1:death:$role")
    for kind in rsa-2048 rsa-4096 ecdsa-256 ecdsa-384; do cases+=("$1:auth:$role:$kind"); done
    for who in cgw peer both; do cases+=("$1:nat:$role:$who"); done
  done
  [ "$1" = openiked ] || cases+=("$1:both:ours")
}
cases=()
case ${1:-few} in
  few) cases=(strongswan:rekeys:theirs:20 libreswan:rekeys:ours:15 libreswan:auth:theirs:rsa-4096 strongswan:death:ours) ;;
  all) every strongswan; every libreswan; every openiked ;;
  *) cases=("$@") ;;
esac
exec python3 "$here/interop.py" "$build" "${cases[@]}"
