#!/bin/bash
# tests/vm/run tests/vm/xfrm.sh [BUILD-DIRECTORY]: what the kernel data plane does beyond carrying packets: IPv6 paths, DF,
# expiry, a NAT's new mapping, other programs' policies, and the repair of what somebody took away.
here=$(dirname "$(readlink -f "$0")")
DRIVER=$(readlink -f "${1:-$BUILD}")/tests/netns/plane_driver
. "$here/../netns/plane_lib.sh"
for module in esp4 esp6 xfrm_interface xfrm_user gcm seqiv veth tun nf_tables; do
  modprobe -q "$module"
done
INNER6_A=fd00:c6::1 INNER6_B=fd00:c6::2

state() { ip -n "$A" -d xfrm state list; }
policies() { ip -n "$A" xfrm policy list; }
event_seen() { grep -qE -- "$2" "$work/$1.event"; }
# Events come by themselves; the next command's answer waits behind them.
wait_event() { # SIDE PATTERN
  local i
  for i in $(seq 40); do
    tell "$1" capability-no >/dev/null
    event_seen "$1" "$2" && return 0
    sleep 0.1
  done
  cat "$work/$1.event"
  return 1
}
fresh_events() { : >"$work/a.event"; : >"$work/b.event"; }

pair() { # WORDS...
  fresh_events
  start_plane a kernel aes256gcm16 "$*" >/dev/null
  start_plane b kernel aes256gcm16 "$*" >/dev/null
}
unpair() {
  { tell a remove-interface; tell b remove-interface; } >/dev/null
  stop_plane a
  stop_plane b
  check "nothing is left" test -z "$(state)$(policies)"
}
both_up() { # MTU
  raise a "$1" >/dev/null && raise b "$1" >/dev/null
  ip -n "$A" addr replace $INNER6_A/128 dev tun1 nodad
  ip -n "$B" addr replace $INNER6_B/128 dev tun1 nodad
  ip -n "$A" route replace $INNER6_B dev tun1
  ip -n "$B" route replace $INNER6_A dev tun1
}
ping6_through() { in_ns "$A" ping -q -n -c 5 -i 0.05 -W 2 ${1:-} $INNER6_B; }

outer_ipv6() { # MTU [encap]
  local words="IPv6 outside${2:+, UDP}" v4_a=$OUTER_A v4_b=$OUTER_B
  echo "== $words"
  OUTER_A=2001:db8::1 OUTER_B=2001:db8::2
  pair "${2:-}"
  both_up "$1"
  check "$words, IPv4 inside: ping" ping_through
  check "$words, IPv4 inside: packets of the whole MTU $1" ping_mtu "$1"
  check "$words: the SAs are IPv6 ones" eval "state | grep -q 'src 2001:db8::1 dst 2001:db8::2'"
  early_packets_are_held
  unpair
  pair inner6 "${2:-}"
  both_up "$1"
  check "$words, IPv6 inside: ping" ping6_through
  check "$words, IPv6 inside: packets of the whole MTU $1" ping6_through "-M do -s $(($1 - 48))"
  check "$words, IPv6 inside: the policies are for ::/0" test "$(policies | grep -A 1 'src ::/0 dst ::/0' | grep -cE 'dir (in|out|fwd)')" = 3
  unpair
  OUTER_A=$v4_a OUTER_B=$v4_b
}

inner_ipv6() {
  echo "== IPv6 inside, IPv4 outside"
  pair inner6
  both_up 1446
  check "IPv6 inside: ping" ping6_through
  check "IPv6 inside: packets of the whole MTU 1446" ping6_through "-M do -s 1398"
  unpair
}

# Outer packets of A with DF set, of all that a ping with DF makes.
df_of_ping() {
  in_ns "$A" nft -f - <<NFT
table netdev df {
  chain out { type filter hook egress device v0 priority 0
    ip protocol esp ip frag-off & 0x4000 != 0 counter comment "df"
    ip protocol esp counter comment "all"
  }
}
NFT
  in_ns "$A" ping -q -n -M do -c 3 -i 0.05 -W 2 $INNER_B >/dev/null
  in_ns "$A" nft list table netdev df | grep -oE 'packets [0-9]+' | tr '\n' ' '
  in_ns "$A" nft delete table netdev df
}

df_and_offload() {
  echo "== DF, hardware"
  pair ''
  both_up 1446
  check "DF is copied by default" test "$(df_of_ping)" = "packets 3 packets 3 "
  tell a clear-df >/dev/null
  { tell b in 2; tell a in 2; tell a out 2; tell b out 2; } >/dev/null
  check "cleared when asked for" test "$(df_of_ping)" = "packets 0 packets 3 "
  check "on the outbound SA only" test "$(state | grep -c nopmtudisc)" = 1
  tell a offload v0 >/dev/null
  { tell b in 3; tell a in 3; tell a out 3; tell b out 3; } >/dev/null
  check "hardware that the interface does not have: said once" test "$(grep -c 'note hw-offload' "$work/a.event")" = 1
  check "and the SA works without" ping_through
  unpair
}

lifetimes() {
  echo "== lifetimes"
  pair ''
  both_up 1446
  tell a life 12 >/dev/null
  { tell b in 2; tell a in 2; tell a out 2; tell b out 2; } >/dev/null
  check "with the new SA packets pass" ping_through
  sleep 12
  check "the kernel says that an SA is over" wait_event a 'hard expired c0de0004'
  check "for both directions" wait_event a 'hard expired c0de0005'
  check "and before, that it is nearly over" test "$(grep -oE '(soft|hard) expired c0de0005' "$work/a.event" | tr '\n' ,)" = \
    "soft expired c0de0005,hard expired c0de0005,"
  check "which is nothing that is lost" eval 'tell a verify && ! event_seen a lost'
  unpair
}

# Child SA 2 of A, limited as asked for, with 4 packets each way, and with 8 more.
volumes() { # packets|octets SOFT HARD
  echo "== a volume of $1"
  pair ''
  both_up 1446
  tell a "$@" >/dev/null
  { tell b in 2; tell a in 2; tell a out 2; tell b out 2; } >/dev/null
  in_ns "$A" ping -q -n -c 4 -i 0.05 -W 2 $INNER_B >/dev/null
  check "under the $1's limits nothing is told" eval "tell a verify && ! event_seen a expired"
  in_ns "$A" ping -q -n -c 3 -i 0.05 -W 2 $INNER_B >/dev/null
  check "past the soft limit the kernel tells of the outbound SA" wait_event a 'soft expired c0de0004'
  check "and of the inbound one" wait_event a 'soft expired c0de0005'
  check "and nothing of an end" eval '! event_seen a hard'
  in_ns "$A" ping -q -n -c 8 -i 0.05 -W 1 $INNER_B >/dev/null
  check "past the hard limit the SA is over" wait_event a 'hard expired c0de0004'
  check "and nothing passes any more" eval '! ping_through'
  check "nothing went out in clear" test "$(clear_packets)" = 0
  tell a "$1" 0 0 >/dev/null
  { tell b in 3; tell a in 3; tell a out 3; tell b out 3; } >/dev/null
  check "the next SA carries traffic" ping_through
  unpair
}

windows() {
  echo "== replay windows, extended sequence numbers"
  local suite=aes256gcm16 size number=1 flag
  for suite in aes256gcm16 aes256gcm16-esn; do
    start_plane a kernel $suite >/dev/null
    start_plane b kernel $suite >/dev/null
    both_up 1446
    flag=af-unspec
    [ $suite = aes256gcm16 ] || flag='af-unspec esn'
    number=1
    for size in 64 1024 2048; do
      number=$((number + 1))
      { tell a window $size; tell b window $size; tell b in $number; tell a in $number; tell a out $number; tell b out $number; } >/dev/null
      check "$suite: a window of $size packets" eval \
        "ip -n $A -s xfrm state list spi $((0xc0de0001 + 2 * number)) | tr -s '\n\t ' ' ' | grep -E 'flag $flag .*replay_window $size, bitmap-length $((size / 32)) '"
      check "$suite: with traffic in it" eval \
        "ping_through && ip -n $A -s xfrm state list spi $((0xc0de0001 + 2 * number)) | tr -s '\n\t ' ' ' | grep -E 'seq-hi 0x0, seq 0x[1-9]'"
    done
    unpair
  done
}

# A NAT without memory in front of B: what leaves from port 4500 comes from PORT.
nat() { # PORT
  in_ns "$B" nft -f - <<NFT
table ip cgwnat
delete table ip cgwnat
table ip cgwnat {
  chain out { type filter hook postrouting priority 0
    udp sport 4500 udp sport set $1 udp checksum set 0
  }
  chain in { type filter hook prerouting priority -300
    udp dport { 20001, 20002 } udp dport set 4500 udp checksum set 0
  }
}
NFT
}

nat_mapping() {
  echo "== a NAT's mapping changes"
  nat 20001
  pair encap
  tell a port 20001 >/dev/null
  both_up 1438
  check "ESP in UDP from the NAT's port" ping_through
  nat 20002
  in_ns "$B" ping -q -n -c 3 -i 0.05 -W 1 $INNER_A >/dev/null
  check "the new mapping is told, with the peer's new port" wait_event a "mapped $OUTER_B:20002"
  tell a port 20002 >/dev/null
  tell a out 1 >/dev/null
  check "the same SA follows to the new port" ping_through
  in_ns "$B" nft delete table ip cgwnat
  unpair
}

sent_by() { tell "$1" counters | sed 's/.* out=\([0-9]*\).*/\1/'; }

repairs() {
  echo "== taken away behind our back"
  pair ''
  both_up 1446
  { tell a leftovers; tell a verify; } >/dev/null
  check "our own changes leave no doubt" eval 'tell a verify | grep -x "ok sure 0"'
  ip -n "$A" xfrm policy flush
  check "policies flushed: noticed" eval 'sleep 0.1; tell a verify | grep -x "ok doubtful 1"'
  check "and put back" ping_through
  ip -n "$A" xfrm policy update src 0.0.0.0/0 dst 0.0.0.0/0 dir out if_id $ID priority 1000 action block
  check "a policy changed: put right" eval 'sleep 0.1; tell a verify | grep -x "ok doubtful 1" && ping_through'
  ip -n "$A" xfrm policy add src 10.9.0.0/16 dst 10.8.0.0/16 dir out if_id $ID action allow
  ip -n "$A" xfrm state add src 192.0.2.1 dst 192.0.2.2 proto esp spi 0x1234 reqid $((ID)) mode tunnel if_id $ID \
    aead 'rfc4106(gcm(aes))' 0x0011223344556677889900112233445566778899 128
  ip -n "$A" xfrm state add src 192.0.2.1 dst 192.0.2.2 proto esp spi 0x1235 reqid 9 mode tunnel if_id 77 \
    aead 'rfc4106(gcm(aes))' 0x0011223344556677889900112233445566778899 128
  check "a stranger's policy and SA in our if_id" eval 'sleep 0.1; tell a verify | grep -x "ok doubtful 2"'
  check "are removed" eval "! policies | grep -q 10.9.0.0 && ! state | grep -q 0x00001234"
  check "others' are not" eval "state | grep -q 0x00001235"
  local counted
  counted=$(sent_by a)
  ip -n "$A" xfrm state flush
  check "SAs flushed: both are told lost" eval 'sleep 0.1; tell a verify | grep -x "ok doubtful 2"'
  check "by their SPIs" eval 'event_seen a "lost c0de0002" && event_seen a "lost c0de0003"'
  check "a packet that finds no SA raises a doubt" eval \
    '! ping_through && tell a verify | grep -x "ok doubtful 0"'
  { tell b in 2; tell a in 2; tell a out 2; tell b out 2; tell a remove 1; tell b remove 1; } >/dev/null
  check "the next SAs carry traffic again" ping_through
  check "two SAs are left" test "$(state | grep -c 'proto esp')" = 2
  check "the counters did not go back ($counted, $(sent_by a))" test "$(sent_by a)" -ge $((counted + 5))
  check "nothing went out in clear" test "$(clear_packets)" = 0
  unpair
}

# Another program's policies for everything between the two outer addresses: IKE's sockets are exempt from them.
foreign_policies() {
  echo "== another program's policies"
  local side
  pair encap
  for side in out in; do
    ip -n "$A" xfrm policy add src 198.51.100.0/24 dst 198.51.100.0/24 dir $side action block
  done
  rm -f "$work/a.ike"
  inject 00000000aabbccddeeff
  sleep 0.2
  tell a counters >/dev/null
  check "IKE comes in all the same" grep -qx "ike on-the-socket 6" "$work/a.ike"
  check "other UDP does not" eval '! in_ns "$A" ping -q -n -c 1 -W 1 $OUTER_B'
  both_up 1438
  check "and the tunnel carries traffic" ping_through
  for side in out in; do
    ip -n "$A" xfrm policy delete src 198.51.100.0/24 dst 198.51.100.0/24 dir $side
  done
  unpair
}

net_up
for ns in "$A" "$B"; do
  in_ns "$ns" sysctl -qw net.ipv6.conf.all.disable_ipv6=0 net.ipv6.conf.default.disable_ipv6=0 net.ipv6.conf.v0.disable_ipv6=0
done
ip -n "$A" addr add 2001:db8::1/64 dev v0 nodad
ip -n "$B" addr add 2001:db8::2/64 dev v0 nodad
watch_for_clear
outer_ipv6 1426
outer_ipv6 1418 encap
inner_ipv6
df_and_offload
lifetimes
volumes packets 6 12
volumes octets 504 1008
windows
nat_mapping
repairs
foreign_policies
summary
