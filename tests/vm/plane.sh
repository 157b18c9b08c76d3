#!/bin/bash
# tests/vm/run tests/vm/plane.sh [BUILD-DIRECTORY]: the kernel data plane (XFRM) against itself, against the userspace
# data plane and against iproute2's SAs, on a kernel that has ESP.
here=$(dirname "$(readlink -f "$0")")
DRIVER=$(readlink -f "${1:-$BUILD}")/tests/netns/plane_driver
BULK=${BULK:-5M}
. "$here/../netns/plane_lib.sh"
for module in esp4 xfrm_interface xfrm_user gcm authenc cbc sha256_generic sha512_generic echainiv seqiv veth tun nf_tables; do
  modprobe -q "$module"
done

state() { ip -n "$A" -d xfrm state list; }
policies() { ip -n "$A" -d xfrm policy list; }
state_says() { # DIRECTION-SPI PATTERN
  ip -n "$A" -s -d xfrm state list proto esp spi "$1" | tr -s '\n\t ' ' ' | grep -F -- "$2"
}

capability_is_complete() {
  start_plane a userspace aes256gcm16 encap >/dev/null
  check "the probe finds kernel ESP, xfrm interfaces, TUN and nexthop objects" \
    eval "tell a capability | grep -F \"kernel_esp=true xfrm_interface=true tun=true nexthop_objects=true why_not_kernel='' why_not_userspace=''\""
  check "and leaves nothing behind" test -z "$(state)$(ip -n "$A" -o link show type xfrm)"
  stop_plane a
}

pair() { # PLANE-A PLANE-B SUITE MTU [encap] [threads=N]
  start_plane a "$1" "$3" "${@:5}" >/dev/null
  start_plane b "$2" "$3" "${@:5}" >/dev/null
  raise a "$4" >/dev/null && raise b "$4" >/dev/null
}
unpair() {
  { tell a remove-interface; tell b remove-interface; } >/dev/null
  stop_plane a
  stop_plane b
  check "nothing is left" test -z "$(state)$(policies)$(ip -n "$A" -o link show tun1 2>/dev/null)"
}

traffic() { # WORDS MTU
  check "$1: ping" ping_through
  check "$1: packets of the whole MTU $2" ping_mtu "$2"
  check "$1: bulk a to b" bulk "$A" "$B" $INNER_B "$BULK"
  sed 's/^/        /' "$work/check"
  check "$1: bulk b to a" bulk "$B" "$A" $INNER_A "$BULK"
  sed 's/^/        /' "$work/check"
}

states_are_right() { # ALGORITHM TRUNCATION ENCAP(yes|no) ESN(yes|no)
  local in=0xc0de0003 out=0xc0de0002 spi
  for spi in $in $out; do
    check "SA $spi: if_id" state_says $spi 'if_id 0xc670001'
    check "SA $spi: reqid is the if_id" state_says $spi "reqid $((ID))"
    check "SA $spi: $1" state_says $spi "$1"
    check "SA $spi: ICV of $2 bits" eval "state_says $spi '' | grep -E '(aead|auth-trunc) [^ ]+ 0x[0-9a-f]+ .*$2 '"
    check "SA $spi: tunnel mode for any inner packet" state_says $spi 'mode tunnel'
    check "SA $spi: of either family" state_says $spi 'af-unspec'
    check "SA $spi: told of when a twelfth of its lifetime is left, and removed after it" state_says $spi 'expire add: soft 3300(sec), hard 3600(sec)'
    if [ "$3" = yes ]; then
      check "SA $spi: ESP in UDP" state_says $spi 'encap type espinudp sport 4500 dport 4500'
    else
      check "SA $spi: plain ESP" eval "! state_says $spi encap"
    fi
    if [ "$4" = yes ]; then check "SA $spi: ESN" state_says $spi 'flag af-unspec esn'; fi
  done
  check "inbound: replay window of 1024 packets" state_says $in 'replay_window 1024, bitmap-length 32'
}

policies_are_right() {
  local all
  all=$(policies | tr -s '\n\t ' ' ')
  check "three policies" test "$(policies | grep -cE 'dir (in|out|fwd) ')" = 3
  check "all with the if_id" test "$(policies | grep -c 'if_id 0xc670001')" = 3
  check "outbound pinned to its SPI" grep -qE 'dir out.*tmpl src 198.51.100.1 dst 198.51.100.2 proto esp spi 0xc0de0002' <<<"$all"
}

replays_are_counted() {
  local esp
  esp=$(capture_esp)
  check "an ESP packet was caught" test -n "$esp"
  inject "$esp" "$esp"
  inject "${esp:0:8}00010000${esp:16}"
  sleep 0.3
  check "replayed packets are counted" test "$(drops a replayed)" = 2
  check "a forged packet is counted" test "$(drops a 'bad ICV')" = 1
  rm -f "$work/a.ike"
  inject 00000000aabbccddeeff
  sleep 0.2
  tell a counters >/dev/null
  check "IKE on port 4500 reaches the socket" grep -qx "ike on-the-socket 6" "$work/a.ike"
}

kernel_both_ends() { # SUITE MTU ALGORITHM TRUNCATION [encap]
  local words="kernel, $1${5:+, UDP}" udp=no esn=no
  [ -z "${5:-}" ] || udp=yes
  case $1 in *esn) esn=yes ;; esac
  echo "== $words"
  pair kernel kernel "$1" "$2" ${5:-}
  traffic "$words" "$2"
  states_are_right "$3" "$4" $udp $esn
  policies_are_right
  [ $udp = no ] || replays_are_counted
  check "counters" eval 'tell a counters | grep -E "^ok in=[1-9][0-9]+ out=[1-9][0-9]+ "'
  if [ "$1${5:-}" = aes256gcm16encap ]; then state; policies; fi
  unpair
}

kernel_rekey_and_leftovers() {
  echo "== rekey, restart, leftovers"
  pair kernel kernel aes256gcm16 1438 encap
  early_packets_are_held
  unpair
  pair kernel kernel aes256gcm16 1446
  rekey_without_loss
  early_packets_are_held
  local counted
  counted=$(tell a counters | sed 's/.* out=\([0-9]*\).*/\1/')
  check "counters add up over rekeys ($counted)" test "$counted" -ge 400
  check "one pair of SAs is left" test "$(state | grep -c '^src')" = 2
  stop_plane a KILL || true
  check "after SIGKILL packets pass without a process" ping_through
  start_plane a kernel aes256gcm16 >/dev/null
  check "the next process adopts the interface" tell a ensure
  { tell b in 7; tell a in 7; tell a out 7; tell b out 7; } >/dev/null
  check "and takes over" ping_through
  check "the old SAs are still there" test "$(state | grep -c '^src')" = 4
  ip -n "$A" xfrm state add src 192.0.2.1 dst 192.0.2.2 proto esp spi 0x1234 mode tunnel aead 'rfc4106(gcm(aes))' \
    0x0011223344556677889900112233445566778899 128
  check "remove_leftovers" tell a leftovers
  check "removes them and nothing else" test "$(state | grep -oE 'spi 0x[0-9a-f]+' | sort | tr '\n' ' ')" = "spi 0x00001234 spi 0xc0de000e spi 0xc0de000f "
  check "traffic goes on" ping_through
  { tell a out 7; } >/dev/null
  check "installing the same SA again keeps its sequence" ping_through
  check "remove_child of the SA in use" tell a remove 7
  check "blocks what would be sent" policies_block
  check "nothing passes" eval '! ping_through'
  check "nothing went out in clear" test "$(clear_packets)" = 0
  check "purge" eval 'tell a purge | grep -x "ok states=0 policies=3"'
  check "leaves the foreign SA" state_says 0x1234 'reqid 0'
  ip -n "$A" xfrm state deleteall
  unpair
}
policies_block() { policies | grep -qE 'dir out action block'; }

# The other end installed by iproute2, with keys as plane_driver makes them.
against_iproute2() { # SUITE MTU ENCRYPTION-OCTETS IP-XFRM-ALGORITHMS...
  local suite=$1 mtu=$2 octets=$3 encap=$4 words
  words="kernel against iproute2, $suite${encap:+, UDP}"
  echo "== $words"
  start_plane a kernel "$suite" $encap >/dev/null
  raise a "$mtu" >/dev/null
  local udp=() sink=
  if [ -n "$encap" ]; then
    udp=(encap espinudp 4500 4500 0.0.0.0)
    ip netns exec "$B" python3 -c 'import socket, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("", 4500)); s.setsockopt(17, 100, 2); time.sleep(60)' &
    sink=$!
    sleep 0.5
  fi
  local number source target
  for number in 2 3; do
    if [ $number = 2 ]; then source=$OUTER_A target=$OUTER_B; else source=$OUTER_B target=$OUTER_A; fi
    local key mac
    key=0x$(printf "$(printf '%02x' $((0x10 + number)))%.0s" $(seq "$octets"))
    mac=0x$(printf "$(printf '%02x' $((0x80 + number)))%.0s" $(seq 32))
    local algorithms=(enc 'cbc(aes)' "$key" auth-trunc 'hmac(sha256)' "$mac" 128)
    case $suite in *gcm*) algorithms=(aead 'rfc4106(gcm(aes))' "$key" 128) ;; esac
    ip -n "$B" xfrm state add src $source dst $target proto esp spi $((0xc0de0000 + number)) reqid 9 mode tunnel if_id 77 \
      flag af-unspec "${algorithms[@]}" "${udp[@]}"
  done
  ip -n "$B" xfrm policy add dir out src 0.0.0.0/0 dst 0.0.0.0/0 if_id 77 tmpl src $OUTER_B dst $OUTER_A proto esp reqid 9 mode tunnel
  ip -n "$B" xfrm policy add dir in src 0.0.0.0/0 dst 0.0.0.0/0 if_id 77 tmpl src $OUTER_A dst $OUTER_B proto esp reqid 9 mode tunnel
  ip -n "$B" link add other type xfrm if_id 77
  address_tunnel b "$mtu" other
  traffic "$words" "$mtu"
  tell a remove-interface >/dev/null
  stop_plane a
  if [ -n "$sink" ]; then
    kill "$sink"
    wait "$sink" 2>/dev/null
  fi
  ip -n "$B" link del other
  ip -n "$B" xfrm state deleteall
  ip -n "$B" xfrm policy deleteall
}

against_userspace() { # SUITE MTU [THREADS]
  local words="kernel against userspace, $1${3:+, $3 threads}"
  echo "== $words"
  pair kernel userspace "$1" "$2" encap "threads=${3:-1}"
  traffic "$words" "$2"
  [ "$1" != aes256gcm16 ] || rekey_without_loss
  check "$words: the kernel's replay window dropped nothing" test "$(drops a replayed)" = 0
  unpair
}

other_selectors_and_names() {
  echo "== interfaces"
  start_plane a kernel aes256gcm16 >/dev/null
  ip -n "$A" link add tun1 type dummy 2>/dev/null || ip -n "$A" link add tun1 type veth peer name tun1-peer
  check "an interface that is not ours is refused, not replaced" eval '! tell a ensure'
  ip -n "$A" link del tun1
  tell a ensure >/dev/null
  check "ours carries its mark" eval 'ip -n "$A" -d link show tun1 | grep -F "alias cgwd 0x0c670001"'
  check "and its if_id" eval 'ip -n "$A" -d link show tun1 | grep -F "if_id 0xc670001"'
  ip -n "$A" link del tun1
  check "deleted behind our back: made again" tell a ensure
  check "remove-interface twice is fine" eval 'tell a remove-interface && tell a remove-interface'
  stop_plane a
}

net_up
watch_for_clear
capability_is_complete
other_selectors_and_names
kernel_both_ends aes256gcm16 1446 'rfc4106(gcm(aes))' 128
kernel_both_ends aes256gcm16 1438 'rfc4106(gcm(aes))' 128 encap
kernel_both_ends aes128gcm16-esn 1438 'rfc4106(gcm(aes))' 128 encap
kernel_both_ends aes256-sha256 1438 'hmac(sha256)' 128
kernel_both_ends aes128-sha256 1422 'hmac(sha256)' 128 encap
kernel_rekey_and_leftovers
against_iproute2 aes256gcm16 1446 36 ''
against_iproute2 aes256gcm16 1438 36 encap
against_iproute2 aes256-sha256 1438 32 ''
against_iproute2 aes256-sha256 1422 32 encap
against_userspace aes256gcm16 1438
against_userspace aes256gcm16 1438 4
against_userspace aes256-sha256 1422
summary
