#pragma once
#include <optional>
#include <vector>

#include "ipsec/sa_payload.hpp"

// What the messages of IKE_SA_INIT hold, whoever sends them.
namespace cgw::ipsec {

struct InitParts {
  std::vector<Proposal> proposals;  // at least one
  KeyExchangePayload ke;
  Buffer nonce;
  bool intermediate = false;  // the sender knows IKE_INTERMEDIATE
};
// Nothing: a payload that must be there is not, or is malformed.
std::optional<InitParts> parse_init(const Payloads& payloads);

// A whole message that nothing protects.
Buffer plain_message(Header h, const Payloads& payloads);

}  // namespace cgw::ipsec
