#!/bin/bash
# tests/netns/plane.sh BUILD-DIRECTORY: the userspace data plane at both ends, on this machine. Needs root, iproute2,
# ping, iperf3, python3.
here=$(dirname "$(readlink -f "$0")")
DRIVER=$(readlink -f "${1:?build directory}")/tests/netns/plane_driver
BULK=${BULK:-100M}
. "$here/plane_lib.sh"

suite_works() { # SUITE MTU
  start_plane a userspace "$1" encap >/dev/null
  start_plane b userspace "$1" encap >/dev/null
  raise a "$2" >/dev/null && raise b "$2" >/dev/null
  check "$1: ping" ping_through
  check "$1: packets of the whole MTU $2" ping_mtu "$2"
  check "$1: bulk a to b" bulk "$A" "$B" $INNER_B "$BULK"
  sed 's/^/        /' "$work/check"
  check "$1: bulk b to a" bulk "$B" "$A" $INNER_A "$BULK"
  sed 's/^/        /' "$work/check"
  stop_plane a
  stop_plane b
}

garbage_is_counted() {
  local esp before
  esp=$(capture_esp)
  check "an ESP packet was caught" test -n "$esp"
  inject "$esp" "$esp"
  sleep 0.2
  check "replayed packets are dropped and counted" test "$(drops a replayed)" = 2
  # The same with a changed last octet, and with a sequence number that was not there yet.
  inject "${esp:0:8}00010000${esp:16}"
  sleep 0.2
  check "a forged packet is dropped and counted" test "$(drops a 'bad ICV')" = 1
  inject "c0ffee00${esp:8}" "${esp:0:16}" ff 01 "" 0000
  sleep 0.2
  check "an unknown SPI is counted" test "$(drops a 'unknown SPI')" = 1
  check "a truncated packet is counted" test "$(drops a truncated)" = 1
  check "traffic goes on" ping_through
}

ike_is_relayed() {
  rm -f "$work/a.ike"
  inject 00000000aabbccddeeff
  sleep 0.2
  tell a counters >/dev/null
  check "an IKE message comes out of the relay without its marker" \
    grep -qx "ike $OUTER_B:4500 $OUTER_A:4500 6" "$work/a.ike"
}

restart_keeps_interface() { # SIGNAL CHILD-SA
  local before after g=$2
  before=$(ip -n "$A" -o link show tun1 | cut -d: -f1)
  stop_plane a "$1" || true
  check "SIG$1: the interface outlives the process" ip -n "$A" link show tun1
  start_plane a userspace aes256gcm16 encap >/dev/null
  { tell a ensure; tell a in $g; tell b in $g; tell b out $g; tell a out $g; } >/dev/null
  after=$(ip -n "$A" -o link show tun1 | cut -d: -f1)
  check "SIG$1: the next process adopts it, address and all" test "$before" = "$after"
  check "SIG$1: traffic goes on" ping_through
  { tell a remove $g; tell b remove $g; } >/dev/null
}

after_removal() {
  check "an SA that was removed is not sent with again" eval '! tell b out 7'
  check "without an outbound SA nothing passes" eval '! ping_through'
  check "and the drops are counted" test "$(drops a 'no SA')" -gt 0
  check "nothing went out in clear, in the whole run" test "$(clear_packets)" = 0
  in_ns "$A" ping -q -n -c 1 -W 1 -I v0 $INNER_B >/dev/null
  check "(and the counter of such packets works)" test "$(clear_packets)" -gt 0
}

interface_deleted_is_repaired() {
  ip -n "$A" link del tun1
  sleep 0.2
  check "a deleted interface comes back" tell a ensure
  { tell a in 6; tell b in 6; tell a out 6; tell b out 6; } >/dev/null
  address_tunnel a 1438
  check "and works" ping_through
  local used
  used=$(awk '{print $14 + $15}' "/proc/${pid[a]}/stat")
  sleep 0.5
  check "and the process is idle" test $(($(awk '{print $14 + $15}' "/proc/${pid[a]}/stat") - used)) -lt 10
}

removal() {
  check "remove-interface" tell a remove-interface
  check "the interface is gone" eval '! ip -n "$A" link show tun1'
}

net_up
watch_for_clear
suite_works aes128gcm16 1438
suite_works aes128-sha1 1422
suite_works aes256-sha256 1422
suite_works aes256-sha384 1422
suite_works aes256-sha512 1406
suite_works aes256gcm16-esn 1438
suite_works aes256gcm16 1438

start_plane a userspace aes256gcm16 encap >/dev/null
start_plane b userspace aes256gcm16 encap >/dev/null
raise a 1438 >/dev/null
raise b 1438 >/dev/null
garbage_is_counted
ike_is_relayed
rekey_without_loss
restart_keeps_interface TERM 5
restart_keeps_interface KILL 7
after_removal
interface_deleted_is_repaired
removal
summary
