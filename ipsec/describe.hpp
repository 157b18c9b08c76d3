#pragma once
#include <string>
#include <vector>

#include "ipsec/crypto.hpp"
#include "ipsec/payload.hpp"

// IKE messages in words, for the debugging eye. Pure. What proves or makes a key is named and measured, never shown.
namespace cgw::ipsec {

// "IKE_AUTH response 1, 48c448daccdeac57_i 8d3f32a73d566089_r", then a line for each payload.
std::vector<std::string> describe(const Header& h, const Payloads& payloads);

// A row of Wireshark's table "IKEv2 Decryption Table" (file ikev2_decryption_table). It holds the keys of the IKE SA.
SecretBytes decryption_table_row(std::uint64_t spi_i, std::uint64_t spi_r, const IkeSuite& suite, const IkeKeys& keys);

}  // namespace cgw::ipsec
