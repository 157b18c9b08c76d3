#pragma once
#include "ipsec/crypto.hpp"

namespace cgw::ipsec {

// A key exchange with a given ECP key pair (private: big endian scalar; public: as in a KE payload). For known answers.
std::unique_ptr<KeyExchange> ecp_key_exchange(DhGroup group, Bytes private_value, Bytes public_value);

}  // namespace cgw::ipsec
