// BGP from the stream on: framing at any cut, OPEN, UPDATE, NOTIFICATION.
#include <algorithm>
#include <optional>
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

void update(Bytes body) {
  UpdateContext cx{.ebgp = true,
                   .four_octet_as = true,
                   .local_as = Asn{65000},
                   .remote_as = Asn{64512},
                   .local_address = IpAddress::v4(0xa9fe0a02)};
  for (const bool four : {true, false}) {
    cx.four_octet_as = four;
    const auto u = parse_update(body, cx);
    if (!u) {
      answerable(u.error());
      continue;
    }
    require(u->announced.empty() || u->attributes != nullptr, "what is announced has attributes");
    require(u->announced.size() + u->withdrawn.size() <= body.size(), "prefixes are of the message");
    for (const auto* list : {&u->announced, &u->withdrawn}) {
      for (const Prefix& p : *list)
        require(p.length <= 32 && Prefix::of(p.address, p.length) == p, "a prefix has no host bits");
    }
    if (u->attributes) static_cast<void>(u->attributes->as_path_text());
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
