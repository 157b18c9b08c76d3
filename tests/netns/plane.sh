#!/bin/bash
# tests/netns/plane.sh BUILD-DIRECTORY: the userspace data plane at both ends, on this machine. Needs root, iproute2,
# ping, iperf3, nft, python3, tcpdump, tshark.
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

# Rows for the packet threads come while these take others: none may be left lying.
starts_at_once() {
  local i
  for i in $(seq 30); do
    start_plane a userspace aes256gcm16 encap >/dev/null
    start_plane b userspace aes256gcm16 encap >/dev/null
    raise a 1438 >/dev/null && raise b 1438 >/dev/null
    ping_mtu 1438 >/dev/null || break
    stop_plane a
    stop_plane b
  done
  check "thirty starts, and each carries packets at once" test "$i${pid[a]:-}" = 30
}

# What the kernel may lack, one at a time and together: the same packets one by one.
without_offloads() { # CGWD_ESP
  export CGWD_ESP=$1
  start_plane a userspace aes256gcm16 encap >/dev/null
  unset CGWD_ESP
  start_plane b userspace aes256gcm16 encap >/dev/null
  raise a 1438 >/dev/null && raise b 1438 >/dev/null
  check "$1: ping of the whole MTU" ping_mtu 1438
  check "$1: bulk a to b" bulk "$A" "$B" $INNER_B 20M
  check "$1: bulk b to a" bulk "$B" "$A" $INNER_A 20M
  stop_plane a
  stop_plane b
}

# TCP segments that came to a namespace out of order.
disorder() { in_ns "$1" nstat -asz TcpExtTCPOFOQueue | awk '/OFO/ {print $2}'; }

# Eight TCP flows there and eight back, a rekey every 0.3 s, and a ping. A segment out of order would be in TCP's queue
# of such; a replay window that a packet fell out of would be counted.
threads_keep_order() { # THREADS CGWD_ESP
  local words="$1 threads, $2" g side
  local before="$(disorder "$A") $(disorder "$B")"
  export CGWD_ESP=$2
  start_plane a userspace aes256gcm16 encap "threads=$1" >/dev/null
  start_plane b userspace aes256gcm16 encap "threads=$1" >/dev/null
  unset CGWD_ESP
  raise a 1438 >/dev/null && raise b 1438 >/dev/null
  in_ns "$B" iperf3 -s -1 -B $INNER_B >/dev/null 2>&1 &
  local there=$!
  in_ns "$A" iperf3 -s -1 -B $INNER_A >/dev/null 2>&1 &
  local back=$!
  sleep 0.5
  in_ns "$A" iperf3 -c $INNER_B -P 8 -t 4 >"$work/there" 2>&1 &
  in_ns "$B" iperf3 -c $INNER_A -P 8 -t 4 >"$work/back" 2>&1 &
  in_ns "$A" ping -q -n -c 300 -i 0.01 -W 2 $INNER_B >"$work/rekey" &
  local ping=$!
  for g in $(seq 2 10); do
    sleep 0.3
    { tell a in "$g"; tell b in "$g"; tell a out "$g"; tell b out "$g"; } >/dev/null
    # A busy machine may still have packets of the last one in hand.
    [ "$g" = 2 ] || { tell a remove $((g - 2)); tell b remove $((g - 2)); } >/dev/null
  done
  wait $ping $there $back
  check "$words: sixteen flows and nine rekeys, and no ping is lost" grep -q ' 0% packet loss' "$work/rekey"
  for side in a b; do
    check "$words: nothing was a replay at $side" test "$(drops $side replayed)" = 0
    check "$words: nothing failed at $side" eval "! tell $side counters | grep -E 'ICV|SPI|no SA|used up|not sent'"
  done
  check "$words: no segment came out of order" test "$(disorder "$A") $(disorder "$B")" = "$before"
  grep -h 'SUM.*receiver' "$work/there" "$work/back" | sed 's/^/        /'
  stop_plane a
  stop_plane b
}

over_ipv6() {
  local v4_a=$OUTER_A v4_b=$OUTER_B
  OUTER_A=2001:db8::1 OUTER_B=2001:db8::2
  in_ns "$A" sysctl -qw net.ipv6.conf.v0.disable_ipv6=0 && ip -n "$A" addr add $OUTER_A/64 dev v0 nodad
  in_ns "$B" sysctl -qw net.ipv6.conf.v0.disable_ipv6=0 && ip -n "$B" addr add $OUTER_B/64 dev v0 nodad
  start_plane a userspace aes256gcm16 encap >/dev/null
  start_plane b userspace aes256gcm16 encap >/dev/null
  raise a 1418 >/dev/null && raise b 1418 >/dev/null
  check "over IPv6: ping of the whole MTU" ping_mtu 1418
  check "over IPv6: bulk a to b" bulk "$A" "$B" $INNER_B 20M
  check "over IPv6: bulk b to a" bulk "$B" "$A" $INNER_A 20M
  stop_plane a
  stop_plane b
  OUTER_A=$v4_a OUTER_B=$v4_b
}

peer_moves() {
  check "sent elsewhere, packets are lost" eval "tell a move 1 $OUTER_B 4999 && ! in_ns $A ping -q -c 1 -W 1 $INNER_B"
  # The peer's replay window is as it was: numbers that began again would be refused.
  check "sent back, they go on" eval "tell a move 1 $OUTER_B 4500 && ping_through"
  check "and none was a replay" test "$(drops b replayed)" = 0
}

peer_behind_nat() {
  tell b events >/dev/null
  in_ns "$A" nft -f - <<NFT
table ip nat44 {
  chain out { type nat hook postrouting priority 100; udp sport 4500 snat to $OUTER_A:7777; }
}
NFT
  check "a peer's new port is told, once" eval "in_ns $A ping -q -c 3 -i 0.05 -W 1 $INNER_B; tell b events" \
    "&& ! tell b events | grep mapped"
  check "(and rightly)" grep -q "mapped c0de0002 $OUTER_A:7777" "$work/check"
  in_ns "$A" nft delete table ip nat44
}

congestion_is_told() {
  in_ns "$A" nft -f - <<NFT
table ip ecnmark { chain out { type filter hook output priority 0; udp dport 4500 ip ecn set ce; }
}
NFT
  in_ns "$B" nft -f - <<NFT
table ip ecnseen { chain in { type filter hook input priority 0; iifname "tun1" ip ecn ce ip dscp af11 counter; }
}
NFT
  check "marked on the way, an ECN-capable packet says so inside" \
    eval "in_ns $A ping -q -c 3 -i 0.05 -W 1 -Q 0x2a $INNER_B && in_ns $B nft list table ip ecnseen | grep -q 'packets 3 '"
  check "and another is dropped" eval "! in_ns $A ping -q -c 2 -i 0.05 -W 1 $INNER_B"
  check "and counted" test "$(drops b 'congestion marked, but not ECN-capable')" = 2
  in_ns "$A" nft delete table ip ecnmark
  in_ns "$B" nft delete table ip ecnseen
}

# SPIs and keys of Child SA 1: plane_driver.cpp.
decoded_by_tshark() {
  local from_a from_b
  from_a=$(printf '12%.0s' {1..36}) from_b=$(printf '13%.0s' {1..36})
  in_ns "$B" tcpdump -q -U -i v0 -w "$work/esp.pcap" udp port 4500 2>"$work/tcpdump" &
  local dump=$! i
  for i in $(seq 100); do
    grep -q listening "$work/tcpdump" && break
    sleep 0.05
  done
  in_ns "$A" ping -q -n -c 3 -i 0.05 -W 2 -s 200 $INNER_B >/dev/null
  sleep 0.3
  kill "$dump"
  wait "$dump" 2>/dev/null
  local sa='"IPv4","*","*","%s","AES-GCM with 16 octet ICV [RFC4106]","0x%s","NULL",""'
  # shellcheck disable=SC2059
  tshark -r "$work/esp.pcap" -o esp.enable_encryption_decode:TRUE \
    -o "uat:esp_sa:$(printf "$sa" 0xc0de0002 "$from_a")" -o "uat:esp_sa:$(printf "$sa" 0xc0de0003 "$from_b")" \
    -T fields -e esp.sequence -e icmp.type -e ip.checksum.status >"$work/decoded" 2>"$work/tshark"
  check "tshark decodes three pings and their answers" eval \
    "[ \$(awk '\$2 == 8' $work/decoded | wc -l) = 3 ] && [ \$(awk '\$2 == 0' $work/decoded | wc -l) = 3 ] || { cat $work/decoded $work/tshark; false; }"
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
starts_at_once
without_offloads openssl
without_offloads no-udp-offload
without_offloads no-tun-offload
without_offloads no-udp-offload,no-tun-offload
over_ipv6
threads_keep_order 1 ipsec-mb
threads_keep_order 4 openssl
threads_keep_order 2 no-udp-offload

start_plane a userspace aes256gcm16 encap >/dev/null
start_plane b userspace aes256gcm16 encap >/dev/null
raise a 1438 >/dev/null
raise b 1438 >/dev/null
decoded_by_tshark
peer_moves
congestion_is_told
garbage_is_counted
ike_is_relayed
rekey_without_loss
early_packets_are_held
restart_keeps_interface TERM 5
restart_keeps_interface KILL 7
after_removal
interface_deleted_is_repaired
removal
summary
