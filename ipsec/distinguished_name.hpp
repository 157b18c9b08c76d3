#pragma once
#include <openssl/x509.h>

#include <string>

#include "ipsec/openssl.hpp"

// Distinguished names between DER, OpenSSL's form and text; private to the files of certificates.
namespace cgw::ipsec {

using NamePtr = std::unique_ptr<X509_NAME, OpenSslFree<X509_NAME_free>>;

// Null unless it is one DER Name from end to end.
NamePtr parse_name(Bytes der);
std::vector<std::uint8_t> der_of(const X509_NAME* name);
// "C=US, O=Example, CN=vpn", in the encoded order; escaped as RFC 4514 says, ASCII only.
std::string text_of(const X509_NAME* name);
Result<NamePtr, std::string> name_from_text(std::string_view text);

}  // namespace cgw::ipsec
