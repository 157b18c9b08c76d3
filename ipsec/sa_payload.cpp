#include "ipsec/sa_payload.hpp"

#include <algorithm>

namespace cgw::ipsec {
namespace {

constexpr std::uint16_t kShortForm = 0x8000, kKeyLength = kShortForm | 14;
constexpr std::uint8_t kMore = 2, kMoreTransforms = 3;
constexpr std::size_t kMaxProposals = 128, kMaxTransforms = 1024;
constexpr std::size_t kMaxOffered = 255;  // a proposal's number is one octet

std::optional<Transform> read_transform(Reader r) {
  Transform t;
  t.type = TransformType{r.u8()};
  r.u8();
  t.id = r.u16();
  while (r.more()) {
    const auto attribute = r.u16();
    const auto value = r.u16();
    if (attribute == kKeyLength && t.key_bits == 0 && value != 0) {
      t.key_bits = value;
      continue;
    }
    t.foreign = true;
    if ((attribute & kShortForm) == 0) r.bytes(value);  // long form: value is its length
  }
  return r.ok() ? std::optional(t) : std::nullopt;
}

bool read_transforms(Reader r, std::size_t count, std::vector<Transform>& out) {
  for (std::size_t i = 0; i < count; ++i) {
    r.u16();  // last, reserved
    const std::size_t length = r.u16();
    if (!r.ok() || length < 8) return false;
    const auto t = read_transform(r.sub(length - 4));
    if (!t) return false;
    out.push_back(*t);
  }
  return r.done();
}

// Every wanted transform is offered, and no type is offered that is not wanted, unless NONE is among it.
bool contains(const Proposal& offered, const std::vector<Transform>& wanted) {
  for (const auto& w : wanted) {
    if (std::ranges::find(offered.transforms, w) == offered.transforms.end()) return false;
  }
  return std::ranges::all_of(offered.transforms, [&](const Transform& o) {
    const auto same_type = [&](const Transform& t) { return t.type == o.type; };
    const auto none = [&](const Transform& t) { return t.type == o.type && t.id == 0; };
    return std::ranges::any_of(wanted, same_type) || std::ranges::any_of(offered.transforms, none);
  });
}

bool additional_type(TransformType t) {
  return t >= TransformType::AddKe1 && t <= TransformType::AddKe7;
}

std::vector<Transform> left_out(const Proposal& offered, const std::vector<Transform>& wanted) {
  std::vector<Transform> out;
  for (const Transform& o : offered.transforms) {
    const auto same_type = [&](const Transform& t) { return t.type == o.type; };
    if (additional_type(o.type) && std::ranges::none_of(wanted, same_type) && std::ranges::none_of(out, same_type))
      out.push_back({o.type, static_cast<std::uint16_t>(DhGroup::None), 0});
  }
  return out;
}

void add_additional(const AdditionalKe& all, std::vector<Transform>& out) {
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (all[i] == DhGroup::None) continue;
    const auto type = static_cast<std::uint8_t>(static_cast<std::size_t>(TransformType::AddKe1) + i);
    out.push_back({TransformType{type}, static_cast<std::uint16_t>(all[i]), 0});
  }
}

template <class Suite, class Wanted>
std::optional<Chosen<Suite>> choose_from(const std::vector<Proposal>& theirs, const std::vector<Suite>& ours,
                                         SaProtocol protocol, Wanted wanted) {
  for (const auto& suite : ours) {
    for (const auto& p : theirs) {
      const std::vector<Transform> ours_only = wanted(suite);
      if (p.protocol == protocol && contains(p, ours_only))
        return Chosen<Suite>{suite, p.number, p.spi, left_out(p, ours_only)};
    }
  }
  return std::nullopt;
}

}  // namespace

Result<std::vector<Proposal>, NotifyType> parse_sa(Bytes body) {
  std::vector<Proposal> out;
  Reader r(body);
  std::size_t transforms = 0;
  while (r.more()) {
    r.u16();  // last, reserved
    const std::size_t length = r.u16();
    if (!r.ok() || length < 8) return fail(NotifyType::InvalidSyntax);
    Reader p = r.sub(length - 4);
    Proposal proposal;
    proposal.number = p.u8();
    proposal.protocol = SaProtocol{p.u8()};
    const std::size_t spi_size = p.u8();
    const std::size_t count = p.u8();
    const Bytes spi = p.bytes(spi_size);
    proposal.spi.assign(spi.begin(), spi.end());
    transforms += count;
    if (!p.ok() || !read_transforms(p, count, proposal.transforms)) return fail(NotifyType::InvalidSyntax);
    out.push_back(std::move(proposal));
    if (out.size() > kMaxProposals || transforms > kMaxTransforms) return fail(NotifyType::InvalidSyntax);
  }
  if (!r.ok() || out.empty()) return fail(NotifyType::InvalidSyntax);
  return out;
}

Payload make_sa(const std::vector<Proposal>& proposals) {
  Payload out{PayloadType::Sa, false, {}};
  Writer w(out.body);
  for (const auto& p : proposals) {
    Buffer transforms;
    Writer t(transforms);
    for (const auto& one : p.transforms) {
      t.u8(&one == &p.transforms.back() ? 0 : kMoreTransforms);
      t.u8(0);
      t.u16(one.key_bits != 0 ? 12 : 8);
      t.u8(static_cast<std::uint8_t>(one.type));
      t.u8(0);
      t.u16(one.id);
      if (one.key_bits == 0) continue;
      t.u16(kKeyLength);
      t.u16(one.key_bits);
    }
    w.u8(&p == &proposals.back() ? 0 : kMore);
    w.u8(0);
    w.u16(static_cast<std::uint16_t>(8 + p.spi.size() + transforms.size()));
    w.u8(p.number);
    w.u8(static_cast<std::uint8_t>(p.protocol));
    w.u8(static_cast<std::uint8_t>(p.spi.size()));
    w.u8(static_cast<std::uint8_t>(p.transforms.size()));
    w.bytes(p.spi);
    w.bytes(transforms);
  }
  return out;
}

Proposal proposal_of(const IkeSuite& s, std::uint8_t number, Bytes spi) {
  Proposal p{number, SaProtocol::Ike, {spi.begin(), spi.end()}, {}};
  p.transforms.push_back({TransformType::Encr, static_cast<std::uint16_t>(s.encr), s.key_bits});
  p.transforms.push_back({TransformType::Prf, static_cast<std::uint16_t>(s.prf), 0});
  if (s.integ != Integ::None) p.transforms.push_back({TransformType::Integ, static_cast<std::uint16_t>(s.integ), 0});
  p.transforms.push_back({TransformType::Dh, static_cast<std::uint16_t>(s.dh), 0});
  add_additional(s.more_ke, p.transforms);
  return p;
}

Proposal proposal_of(const EspSuite& s, std::uint8_t number, Spi spi, WithDh dh) {
  Proposal p{number, SaProtocol::Esp, {}, {}};
  Writer(p.spi).u32(spi.value());
  p.transforms.push_back({TransformType::Encr, static_cast<std::uint16_t>(s.encr), s.key_bits});
  if (s.integ != Integ::None) p.transforms.push_back({TransformType::Integ, static_cast<std::uint16_t>(s.integ), 0});
  if (dh == WithDh::Yes && s.dh != DhGroup::None) {
    p.transforms.push_back({TransformType::Dh, static_cast<std::uint16_t>(s.dh), 0});
    add_additional(s.more_ke, p.transforms);
  }
  p.transforms.push_back({TransformType::Esn, static_cast<std::uint16_t>(s.esn ? 1 : 0), 0});
  return p;
}

Payload offer(const IkeProposals& ours, Bytes spi) {
  std::vector<Proposal> all;
  for (const auto& s : ours) {
    if (all.size() == kMaxOffered) break;
    all.push_back(proposal_of(s, static_cast<std::uint8_t>(all.size() + 1), spi));
  }
  return make_sa(all);
}

Payload offer(const EspProposals& ours, Spi spi, WithDh dh) {
  std::vector<Proposal> all;
  for (const auto& s : ours) {
    Proposal p = proposal_of(s, static_cast<std::uint8_t>(all.size() + 1), spi, dh);
    // Without the group two suites may be one and the same.
    const bool again = std::ranges::any_of(all, [&](const Proposal& o) { return o.transforms == p.transforms; });
    if (!again && all.size() < kMaxOffered) all.push_back(std::move(p));
  }
  return make_sa(all);
}

bool single(const std::vector<Proposal>& answer) {
  if (answer.size() != 1) return false;
  const auto& transforms = answer.front().transforms;
  return std::ranges::all_of(
      transforms, [&](const Transform& t) { return std::ranges::count(transforms, t.type, &Transform::type) == 1; });
}

std::optional<Chosen<IkeSuite>> choose(const std::vector<Proposal>& theirs, const IkeProposals& ours) {
  return choose_from(theirs, ours, SaProtocol::Ike, [](const IkeSuite& s) { return proposal_of(s, 1, {}).transforms; });
}

std::optional<Chosen<EspSuite>> choose(const std::vector<Proposal>& theirs, const EspProposals& ours, WithDh dh) {
  return choose_from(theirs, ours, SaProtocol::Esp,
                     [&](const EspSuite& s) { return proposal_of(s, 1, Spi{}, dh).transforms; });
}

}  // namespace cgw::ipsec
