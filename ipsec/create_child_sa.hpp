#pragma once
#include <optional>
#include <vector>

#include "ipsec/ike_sa.hpp"
#include "ipsec/sa_payload.hpp"

// What CREATE_CHILD_SA messages of every kind hold (RFC 7296 1.3).
namespace cgw::ipsec {

inline constexpr std::size_t kNonceOctets = 32;

// Of a Child SA, in IKE_AUTH.
struct ChildParts {
  std::vector<Proposal> proposals;  // at least one
  std::vector<AddressRange> ts_i, ts_r;
};
std::optional<ChildParts> parse_child_parts(const Payloads& payloads);

struct Parts {
  std::vector<Proposal> proposals;  // at least one
  Buffer nonce;
  std::optional<KeyExchangePayload> ke;
  std::vector<AddressRange> ts_i, ts_r;
};
// Nothing: a payload that must be there is not, or is malformed.
std::optional<Parts> parse_parts(const Payloads& payloads);

std::optional<Notify> error_in(const Payloads& payloads);
std::optional<KeyExchangePayload> find_ke(const Payloads& payloads);
Payload invalid_ke(DhGroup group);
Buffer ike_spi_octets(std::uint64_t spi);
std::uint64_t read_ike_spi(Bytes octets);  // 0: it is none
Spi read_spi(Bytes octets);                // 0: it is none

// RFC 7296 2.8.1: octet by octet; of two that begin alike the shorter one is the lower.
Buffer lowest_nonce(Bytes a, Bytes b);
bool is_lower(Bytes a, Bytes b);

}  // namespace cgw::ipsec
