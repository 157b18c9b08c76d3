// BGP from the stream on: framing at any cut, OPEN, UPDATE, NOTIFICATION.
#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "bgp/framing.hpp"
#include "bgp/open.hpp"
#include "bgp/update.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace cgw;
using namespace cgw::bgp;
using cgw::fuzz::require;

namespace {

struct Cut {
  std::vector<std::pair<MessageType, std::vector<std::uint8_t>>> frames;
  std::optional<Notification> error;
  bool operator==(const Cut&) const = default;
};

Cut cut(Bytes stream, std::size_t step) {
  Cut out;
  Framer f;
  while (!stream.empty()) {
    const auto n = std::min(step, stream.size());
    f.push(stream.first(n));
    stream = stream.subspan(n);
    while (true) {
      const auto frame = f.next();
      if (!frame) {
        out.error = frame.error();
        return out;
      }
      if (!*frame) break;
      require((*frame)->body.size() + kHeaderOctets <= kMaxMessage, "a message has at most 4096 octets");
      out.frames.emplace_back((*frame)->type, std::vector<std::uint8_t>((*frame)->body.begin(), (*frame)->body.end()));
    }
  }
  return out;
}

void answerable(const Notification& n) {
  require(n.code >= 1 && n.code <= 6, "a NOTIFICATION has a known code");
  require(encode(n).size() <= kMaxMessage, "a NOTIFICATION fits a message");
  require(!n.to_string().empty(), "a NOTIFICATION has words");
}

// What a neighbor on the other side of the context would read.
UpdateContext mirrored(UpdateContext c) {
  std::swap(c.local_as, c.remote_as);
  c.add_path_receive = c.add_path_send;
  c.local_address = {};
  c.enforce_first_as = false;
  return c;
}

// What was read can be written, what is written reads back clean and is written the same again.
void rewrite(const Update& u, const UpdateContext& cx) {
  const auto first = encode_announce(u.announced, u.family, *u.attributes, cx);
  if (!first) return;  // more than a message holds
  for (const auto& m : *first) {
    require(m.size() <= cx.max_message, "a message has at most its agreed length");
    const auto p = parse_update(Bytes(m).subspan(kHeaderOctets), mirrored(cx));
    require(p.has_value() && p->findings.empty() && p->updates.size() == 1, "what is sent reads back clean");
    const Update& again = p->updates[0];
    require(again.attributes && again.withdrawn.empty() && again.family == u.family, "routes are routes");
    const auto second = encode_announce(again.announced, again.family, *again.attributes, cx);
    require(second && *second == Messages{m}, "and is sent the same again");
  }
}

void check(const Update& u, std::size_t size) {
  require(u.announced.empty() || u.attributes != nullptr, "what is announced has attributes");
  require(u.announced.size() + u.withdrawn.size() <= size, "prefixes are of the message");
  for (const auto* list : {&u.announced, &u.withdrawn}) {
    for (const Nlri& n : *list) {
      require((n.prefix.address.family() == u.family), "a route is of its family");
      require(Prefix::of(n.prefix.address, n.prefix.length) == n.prefix, "a prefix has no host bits");
    }
  }
  if (u.attributes) static_cast<void>(u.attributes->as_path_text());
}

// One context for each value: who the neighbor is and what was agreed on.
UpdateContext context(std::uint8_t bits) {
  UpdateContext cx{.local_as = Asn{65000}, .remote_as = Asn{64512}, .local_address = IpAddress::v4(0xa9fe0a02)};
  cx.ebgp = (bits & 1) == 0;
  if (!cx.ebgp) cx.remote_as = cx.local_as;
  cx.four_octet_as = (bits & 2) == 0;
  cx.families = {true, (bits & 4) != 0};
  cx.add_path_receive = cx.add_path_send = {(bits & 8) != 0, (bits & 8) != 0};
  cx.extended_next_hop = (bits & 16) != 0;
  cx.max_message = (bits & 32) != 0 ? 65535 : 4096;
  cx.accept_as_sets = (bits & 64) != 0;
  return cx;
}

void update(Bytes body) {
  for (std::uint8_t bits = 0; bits < 128; ++bits) {
    const UpdateContext cx = context(bits);
    const auto p = parse_update(body, cx);
    if (!p) {
      answerable(p.error());
      continue;
    }
    require(p->updates.size() <= 3, "an UPDATE is taken apart into few");
    require(!(p->disabled.v4 && (p->disabled.v6 || !cx.families.v6)), "one family at least stays");
    for (const Finding& f : p->findings)
      require(!f.to_string().empty() && f.action != OnError::Reset, "a finding has words");
    for (const Update& u : p->updates) {
      check(u, body.size());
      if (!u.announced.empty()) rewrite(u, cx);
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input in(data, size);
  const std::uint8_t what = in.octet();
  const Bytes body = in.rest();
  switch (what % 4) {
    case 0: {
      const Cut whole = cut(body, body.size());
      require(whole == cut(body, 1) && whole == cut(body, 1U + what), "framing does not depend on the cut");
      if (whole.error) answerable(*whole.error);
      for (const auto& [type, message] : whole.frames) {
        if (type == MessageType::Update) update(message);
      }
      break;
    }
    case 1: {
      const auto open = parse_open(body);
      if (!open) answerable(open.error().notification);
      if (open) {
        require(open->hold_time == Seconds{0} || open->hold_time >= Seconds{3}, "a hold time is 0 or at least 3");
        require(open->router_id != RouterId{0}, "a BGP identifier is not 0");
      }
      break;
    }
    case 2: update(body); break;
    case 3: {
      const auto n = parse_notification(body);
      if (!n) answerable(n.error());
      if (n) static_cast<void>(n->to_string());
      break;
    }
  }
  return 0;
}
