// An IKE message without keys: header, chain, and every payload that has a parser.
#include "ipsec/payload.hpp"
#include "ipsec/sa_payload.hpp"
#include "ipsec/ts_payload.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace cgw;
using namespace cgw::ipsec;
using cgw::fuzz::require;

namespace {

void sa(Bytes body) {
  const auto proposals = parse_sa(body);
  if (!proposals) return;
  require(!proposals->empty(), "an SA payload that is accepted has a proposal");
  for (const auto& p : *proposals)
    require(p.spi.size() <= body.size(), "an SPI is of the payload");
  const auto ike = choose(*proposals, default_ike_proposals());
  require(!ike || ike->suite == default_ike_proposals()[0] || ike->suite == default_ike_proposals()[1],
          "what is chosen is ours");
  static_cast<void>(choose(*proposals, default_esp_proposals(), WithDh::No));
  static_cast<void>(choose(*proposals, default_esp_proposals(), WithDh::Yes));
}

void selectors(Bytes body) {
  const auto ranges = parse_ts(body);
  if (!ranges) return;
  for (const auto& r : *ranges)
    require(r.from.family() == r.to.family(), "a range is of one family");
  if (const auto n = narrow(*ranges, any_address(Family::V4))) {
    require(n->from.is_v4() && n->to.is_v4() && n->from <= n->to, "a narrowed range is one");
  }
}

void payload(const Payload& p) {
  sa(p.body);
  selectors(p.body);
  if (const auto n = parse_notify(p.body)) {
    const auto again = parse_notify(make_notify(n->type, n->data, n->protocol, n->spi).body);
    require(again && again->type == n->type && again->data == n->data && again->spi == n->spi,
            "a notify reads back as it was");
    static_cast<void>(to_string(n->type));
  }
  if (const auto d = parse_delete(p.body)) require(d->spis.size() * 4 <= p.body.size(), "SPIs are of the payload");
  if (const auto ke = parse_ke(p.body)) require(ke->value.size() <= p.body.size(), "a public value is of the payload");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Bytes message(data, size);
  const auto h = parse_header(message);
  if (!h) return 0;
  Buffer again;
  write_header(*h, again);
  require(again.size() == kHeaderOctets, "a header has 28 octets");
  const auto chain = parse_chain(h->first, message.subspan(kHeaderOctets));
  if (!chain) return 0;
  require(chain->payloads.size() <= kMaxPayloads, "payloads are bounded");
  for (const auto& p : chain->payloads)
    payload(p);
  static_cast<void>(unknown_critical(chain->payloads));
  static_cast<void>(notifies(chain->payloads));
  const bool sealed = !chain->payloads.empty() && (chain->payloads.back().type == PayloadType::Sk ||
                                                   chain->payloads.back().type == PayloadType::Skf);
  if (sealed) return 0;
  Buffer written;
  const auto first = write_chain(chain->payloads, written);
  const auto reread = parse_chain(first, written);
  require(reread && reread->payloads.size() == chain->payloads.size(), "a chain reads back as it was");
  return 0;
}
