#pragma once
#include <cstring>

#include "ipsec/child_sa.hpp"
#include "kernel/xfrm_message.hpp"

// Child SAs that the tests of XFRM messages are about, and what a message holds.
namespace cgw::kernel::xfrm {

inline constexpr IfId kId{0x0c670001};

inline IpAddress ip(const char* text) {
  return IpAddress::parse(text).value();
}

inline ipsec::ChildSa gcm_child() {
  ipsec::ChildSa sa;
  sa.spi_in = ipsec::Spi{0xc0000001};
  sa.spi_out = ipsec::Spi{0xc0000002};
  sa.in.encr = SecretBytes(std::string_view("iiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiSALT"));
  sa.out.encr = SecretBytes(std::string_view("ooooooooooooooooooooooooooooooooSALT"));
  sa.local = {ip("198.51.100.1"), 4500};
  sa.remote = {ip("203.0.113.10"), 1027};
  sa.local_ts = sa.remote_ts = {ip("0.0.0.0"), ip("255.255.255.255")};
  return sa;
}

inline ipsec::ChildSa v6_child() {
  ipsec::ChildSa sa = gcm_child();
  sa.local = {ip("2001:db8::1"), 4500};
  sa.remote = {ip("2001:db8::2"), 4500};
  return sa;
}

template <class T>
T payload(const Message& m) {
  T out;
  std::memcpy(&out, nlmsg_data(nlmsg_hdr(m.get())), sizeof out);
  return out;
}

}  // namespace cgw::kernel::xfrm
