#pragma once
#include <optional>
#include <vector>

#include "ipsec/child_sa.hpp"
#include "ipsec/payload.hpp"

// The SA payload (RFC 7296 3.3): proposals and transforms, offered and chosen.
namespace cgw::ipsec {

enum class SaProtocol : std::uint8_t { Ike = 1, Ah = 2, Esp = 3 };
enum class TransformType : std::uint8_t { Encr = 1, Prf = 2, Integ = 3, Dh = 4, Esn = 5, AddKe1 = 6, AddKe7 = 12 };

struct Transform {
  TransformType type{};
  std::uint16_t id = 0;
  std::uint16_t key_bits = 0;  // 0: no attribute
  bool foreign = false;        // has an attribute that we do not know or is malformed: never chosen (RFC 7296 3.3.6)
  bool operator==(const Transform&) const = default;
};

struct Proposal {
  std::uint8_t number = 1;
  SaProtocol protocol = SaProtocol::Ike;
  Buffer spi;
  std::vector<Transform> transforms;
};

// AWS's default sets hold hundreds of transforms; the bound is what fits a message.
Result<std::vector<Proposal>, NotifyType> parse_sa(Bytes body);
Payload make_sa(const std::vector<Proposal>& proposals);

Proposal proposal_of(const IkeSuite& s, std::uint8_t number, Bytes spi);
// dh: whether the group is negotiated here (CREATE_CHILD_SA) or not (IKE_AUTH).
enum class WithDh : std::uint8_t { No, Yes };
Proposal proposal_of(const EspSuite& s, std::uint8_t number, Spi spi, WithDh dh);
// All of ours, numbered from 1.
Payload offer(const IkeProposals& ours, Bytes spi);
Payload offer(const EspProposals& ours, Spi spi, WithDh dh);

// The first of ours that one of the peer's proposals contains.
template <class Suite>
struct Chosen {
  Suite suite;
  std::uint8_t number = 0;
  Buffer spi;  // the peer's
  // NONE of the additional key exchanges that the peer leaves open and the suite does without. RFC 7296 2.7: an answer
  // "MUST contain exactly one transform of each type included in the proposal".
  std::vector<Transform> none{};
  Proposal with_none(Proposal p) const {
    p.transforms.insert(p.transforms.end(), none.begin(), none.end());
    return p;
  }
};
// Of an answer: one proposal with one transform of each type (RFC 7296 2.7).
bool single(const std::vector<Proposal>& answer);
std::optional<Chosen<IkeSuite>> choose(const std::vector<Proposal>& theirs, const IkeProposals& ours);
std::optional<Chosen<EspSuite>> choose(const std::vector<Proposal>& theirs, const EspProposals& ours, WithDh dh);

}  // namespace cgw::ipsec
