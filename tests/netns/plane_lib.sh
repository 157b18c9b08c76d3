# Two namespaces joined by a cable, a data plane in each: sourced by tests/netns/plane.sh (this machine) and
# tests/vm/plane.sh (a kernel with ESP). DRIVER names the built plane_driver.
set -u
: "${DRIVER:?the built plane_driver}"
prefix=${PREFIX:-cgwp$$}
A=$prefix-a B=$prefix-b
OUTER_A=198.51.100.1 OUTER_B=198.51.100.2
INNER_A=169.254.10.1 INNER_B=169.254.10.2
ID=0x0c670001
work=$(mktemp -d)
passed=0 failed=0
declare -A pid=() to=() from=()

check() { # WORDS COMMAND...
  local words=$1
  shift
  if "$@" >"$work/check" 2>&1; then
    passed=$((passed + 1))
    echo "  ok    $words"
  else
    failed=$((failed + 1))
    echo "  FAIL  $words"
    sed 's/^/        /' "$work/check" | tail -n 8
  fi
}

in_ns() { ip netns exec "$@"; }

net_up() {
  ip netns add "$A" && ip netns add "$B"
  ip link add v0 netns "$A" type veth peer name v0 netns "$B"
  local ns
  for ns in "$A" "$B"; do
    in_ns "$ns" sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1
    ip -n "$ns" link set lo up
    ip -n "$ns" link set v0 up
  done
  ip -n "$A" addr add $OUTER_A/24 dev v0
  ip -n "$B" addr add $OUTER_B/24 dev v0
}

net_down() {
  local side
  for side in "${!pid[@]}"; do stop_plane "$side"; done
  ip netns del "$A" 2>/dev/null
  ip netns del "$B" 2>/dev/null
}
finish() {
  net_down
  rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM

# start_plane a|b PLANE SUITE [encap] [threads=N]
start_plane() {
  local side=$1 plane=$2 suite=$3 ns local remote
  if [ "$side" = a ]; then ns=$A local=$OUTER_A remote=$OUTER_B; else ns=$B local=$OUTER_B remote=$OUTER_A; fi
  rm -f "$work/$side.in" "$work/$side.out"
  mkfifo "$work/$side.in" "$work/$side.out"
  ip netns exec "$ns" "$DRIVER" "$plane" tun1 $ID "$side" $local $remote "$suite" ${@:4} <"$work/$side.in" >"$work/$side.out" &
  pid[$side]=$!
  local fd
  exec {fd}>"$work/$side.in"
  to[$side]=$fd
  exec {fd}<"$work/$side.out"
  from[$side]=$fd
  answer "$side"
}

# The driver's next answer; its reports of IKE messages and events go to files.
answer() { # SIDE
  local line
  while read -r -t 60 line <&"${from[$1]}"; do
    case $line in
      ike*) echo "$line" >>"$work/$1.ike" ;;
      event*) echo "$line" >>"$work/$1.event" ;;
      ok*) echo "$line"; return 0 ;;
      *) echo "$line"; return 1 ;;
    esac
  done
  echo "plane_driver $1: no answer"
  return 1
}

tell() { # SIDE COMMAND...
  local side=$1
  shift
  echo "$*" >&"${to[$side]}"
  answer "$side"
}

stop_plane() { # SIDE [SIGNAL]
  local side=$1
  [ -n "${pid[$side]:-}" ] || return 0
  if [ $# -gt 1 ]; then kill "-$2" "${pid[$side]}"; else echo quit >&"${to[$side]}"; fi
  wait "${pid[$side]}" 2>/dev/null
  local status=$?
  local in=${to[$side]} out=${from[$side]}
  exec {in}>&- {out}<&-
  unset "pid[$side]" "to[$side]" "from[$side]"
  return $status
}

address_tunnel() { # SIDE MTU [INTERFACE]
  local name=${3:-tun1}
  if [ "$1" = a ]; then ip -n "$A" addr replace $INNER_A peer $INNER_B dev "$name" && ip -n "$A" link set "$name" up mtu "$2"
  else ip -n "$B" addr replace $INNER_B peer $INNER_A dev "$name" && ip -n "$B" link set "$name" up mtu "$2"; fi
}

# Interface, inbound and outbound SA of Child SA 1, address.
raise() { # SIDE MTU
  tell "$1" ensure && tell "$1" in 1 && tell "$1" out 1 && address_tunnel "$1" "$2"
}

ping_through() { in_ns "$A" ping -q -n -c 5 -i 0.05 -W 2 $INNER_B; }
# Full-sized packets, not fragmented inside: what the MTU says must fit.
ping_mtu() { in_ns "$A" ping -q -n -M do -s $(($1 - 28)) -c 3 -i 0.05 -W 2 $INNER_B; }

# Sends OCTETS by TCP through the tunnel and says how fast.
bulk() { # FROM-NAMESPACE TO-NAMESPACE TO-ADDRESS OCTETS
  in_ns "$2" iperf3 -s -1 -B "$3" >"$work/iperf.server" 2>&1 &
  local server=$! i
  for i in $(seq 100); do
    in_ns "$2" ss -Hltn "src $3:5201" | grep -q . && break
    sleep 0.05
  done
  in_ns "$1" timeout 120 iperf3 -c "$3" -n "$4" -f m >"$work/iperf.client" 2>&1
  local status=$?
  [ $status = 0 ] || kill "$server"  # nobody came
  wait "$server"
  grep -E 'receiver|error' "$work/iperf.client"
  return $status
}

drops() { # SIDE REASON: 0 when there is none
  tell "$1" counters | grep -oF "[$2]=" >/dev/null || { echo 0; return; }
  tell "$1" counters | sed "s/.*\[$2\]=\([0-9]*\).*/\1/"
}

# Datagrams from B's port 4500 to A's: by a raw socket, since the port is the driver's.
inject() { # HEX...
  in_ns "$B" python3 - "$OUTER_B" "$OUTER_A" "$@" <<'PY'
import socket, struct, sys
source, target, payloads = sys.argv[1], sys.argv[2], sys.argv[3:]
s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP)
s.bind((source, 0))
for p in payloads:
    data = bytes.fromhex(p)
    s.sendto(struct.pack("!HHHH", 4500, 4500, 8 + len(data), 0) + data, (target, 0))
PY
}

# The ESP packet that the next ping from B makes, as hex.
capture_esp() {
  rm -f "$work/sniffing"
  in_ns "$A" python3 - "$work/sniffing" <<'PY' &
import socket, sys
s = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800))
s.bind(("v0", 0x0800))
s.settimeout(15)
open(sys.argv[1], "w").close()
while True:
    p = s.recv(65535)
    if p[9] == 17 and p[12:16] == socket.inet_aton("198.51.100.2") and p[28:30] == b"\xc0\xde":
        print(p[28:].hex())
        break
PY
  local sniffer=$! i
  for i in $(seq 200); do
    [ -e "$work/sniffing" ] && break
    sleep 0.05
  done
  in_ns "$B" ping -q -n -c 1 -W 1 $INNER_A >/dev/null
  wait "$sniffer"
}

rekey_without_loss() {
  in_ns "$A" ping -q -n -c 400 -i 0.005 -W 1 $INNER_B >"$work/rekey" &
  local ping=$! g
  for g in 2 3 4; do
    sleep 0.4
    { tell a in $g; tell b in $g; tell a out $g; tell b out $g; sleep 0.1; tell a remove $((g - 1)); tell b remove $((g - 1)); } >/dev/null
  done
  wait "$ping"
  check "three rekeys without a lost packet" grep -q ' 0% packet loss' "$work/rekey"
}

# B sends with Child SA 9 before A has it: as a peer may that answers a rekey.
early_packets_are_held() {
  { tell a in 8; tell b in 8; tell a out 8; tell b out 8; } >/dev/null
  check "with the SA of before" ping_through
  local ping
  tell a expect 9 >/dev/null
  { tell b in 9; tell b out 9; } >/dev/null
  in_ns "$B" ping -n -c 40 -i 0.01 -W 5 $INNER_A >"$work/early" &
  ping=$!
  sleep 0.6
  { tell a in 9; tell a out 9; } >/dev/null
  wait "$ping"
  check "packets that come before their SA are held: none of 40 is lost" eval "grep -q ' 40 received' $work/early || { tail -n 5 $work/early; tell a counters; false; }"
  # What comes while the SA is installed may be taken both ways; the replay window drops one of them.
  check "and none comes twice" eval "! grep -E 'DUP|duplicates' $work/early"
  tell a expect 10 >/dev/null
  { tell b in 10; tell b out 10; } >/dev/null
  in_ns "$B" ping -q -n -c 5 -i 0.01 -W 1 $INNER_A >"$work/early"
  tell a expect 11 >/dev/null
  { tell b in 11; tell b out 11; tell a in 11; tell a out 11; tell a in 10; } >/dev/null
  check "what is held for an SA that never comes does no harm" ping_through
  local old
  for old in 1 4 8 9 10; do { tell a remove $old; tell b remove $old; } >/dev/null; done
}

# Packets between inner addresses on the outer cable.
watch_for_clear() {
  in_ns "$A" nft -f - <<NFT
table netdev watch {
  chain out { type filter hook egress device v0 priority 0; ip daddr 169.254.0.0/16 counter; arp daddr ip 169.254.0.0/16 counter; }
}
NFT
}
clear_packets() { in_ns "$A" nft list table netdev watch | grep -o 'packets [0-9]*' | awk '{n += $2} END {print n + 0}'; }

summary() {
  echo "$passed passed, $failed failed"
  [ "$failed" = 0 ]
}
