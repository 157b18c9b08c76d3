#pragma once
#include "ipsec/crypto.hpp"

namespace cgw::ipsec {

// A key exchange with a given key pair, both as a KE payload would hold them (ECP: the scalar big endian). For known
// answers.
std::unique_ptr<KeyExchange> known_key_exchange(DhGroup group, Bytes private_value, Bytes public_value);

}  // namespace cgw::ipsec
