#include <arpa/inet.h>
#include <netinet/in.h>

#include <cstring>
#include <string>

#include <doctest/doctest.h>
#include <netlink/attr.h>

#include "kernel/xfrm_policy.hpp"
#include "tests/unit/kernel/child_sas.hpp"

namespace cgw::kernel::xfrm {
namespace {

template <class T>
const nlattr* attribute(const Message& m, int type) {
  return nlmsg_find_attr(nlmsg_hdr(m.get()), sizeof(T), type);
}

template <class T>
T value(const nlattr* a) {
  REQUIRE(a != nullptr);
  REQUIRE(nla_len(a) >= static_cast<int>(sizeof(T)));
  T out;
  std::memcpy(&out, nla_data(a), sizeof out);
  return out;
}

// As a dump would show it.
Policy shown(const Policy& p) {
  const auto m = put_policy(p);
  nlmsg_hdr(m.get())->nlmsg_type = XFRM_MSG_NEWPOLICY;
  Policy out;
  REQUIRE(read_policy(nlmsg_hdr(m.get()), out));
  return out;
}

TEST_SUITE("kernel/xfrm_policy") {
  TEST_CASE("the outbound policy is pinned to the outbound SPI; inbound ones match any SA of the tunnel") {
    const auto out = put_policy(allow_policy(kId, gcm_child(), PolicyDirection::Out));
    CHECK(nlmsg_hdr(out.get())->nlmsg_type == XFRM_MSG_UPDPOLICY);
    CHECK(payload<xfrm_userpolicy_info>(out).dir == XFRM_POLICY_OUT);
    const auto t = value<xfrm_user_tmpl>(attribute<xfrm_userpolicy_info>(out, XFRMA_TMPL));
    CHECK(t.id.spi == htonl(0xc0000002));
    CHECK(t.reqid == kId.value());
    CHECK(t.saddr.a4 == htonl(0xc6336401));
    CHECK(value<std::uint32_t>(attribute<xfrm_userpolicy_info>(out, XFRMA_IF_ID)) == kId.value());
    for (const auto d : {PolicyDirection::In, PolicyDirection::Forward}) {
      const auto in = put_policy(allow_policy(kId, gcm_child(), d));
      const auto inbound = value<xfrm_user_tmpl>(attribute<xfrm_userpolicy_info>(in, XFRMA_TMPL));
      CHECK(inbound.id.spi == 0);
      CHECK(inbound.id.daddr.a4 == htonl(0xc6336401));
    }
  }

  TEST_CASE("a blocking policy has no template and drops") {
    const auto m = put_policy(block_policy(kId, selectors_of(gcm_child())));
    CHECK(payload<xfrm_userpolicy_info>(m).action == XFRM_POLICY_BLOCK);
    CHECK(attribute<xfrm_userpolicy_info>(m, XFRMA_TMPL) == nullptr);
    CHECK(value<std::uint32_t>(attribute<xfrm_userpolicy_info>(m, XFRMA_IF_ID)) == kId.value());
  }

  TEST_CASE("a policy is deleted with its if_id, or the kernel would not find it") {
    const auto m = delete_policy(allow_policy(kId, gcm_child(), PolicyDirection::Forward));
    CHECK(payload<xfrm_userpolicy_id>(m).dir == XFRM_POLICY_FWD);
    CHECK(value<std::uint32_t>(attribute<xfrm_userpolicy_id>(m, XFRMA_IF_ID)) == kId.value());
  }

  TEST_CASE("a traffic selector that is a prefix becomes the policy's, any other range all of its family") {
    ipsec::ChildSa sa = gcm_child();
    CHECK(selectors_of(sa).local.to_string() == "0.0.0.0/0");
    sa.local_ts = {ip("10.0.0.0"), ip("10.0.255.255")};
    sa.remote_ts = {ip("10.1.0.0"), ip("10.1.0.6")};
    CHECK(selectors_of(sa).local.to_string() == "10.0.0.0/16");
    CHECK(selectors_of(sa).remote.to_string() == "0.0.0.0/0");
    sa.remote_ts = {ip("10.1.0.7"), ip("10.1.0.7")};
    CHECK(selectors_of(sa).remote.to_string() == "10.1.0.7/32");
    sa.remote_ts = {ip("2001:db8::"), ip("2001:db8:ffff:ffff:ffff:ffff:ffff:ffff")};
    CHECK(selectors_of(sa).remote.to_string() == "2001:db8::/32");
    const auto in = payload<xfrm_userpolicy_info>(put_policy(allow_policy(kId, sa, PolicyDirection::In)));
    CHECK(in.sel.prefixlen_s == 32);
    CHECK(in.sel.prefixlen_d == 16);
  }

  TEST_CASE("a policy that the kernel shows is the one that was put, whatever its direction") {
    ipsec::ChildSa sa = gcm_child();
    sa.local_ts = {ip("10.0.0.0"), ip("10.0.255.255")};
    for (const auto d : {PolicyDirection::In, PolicyDirection::Out, PolicyDirection::Forward})
      CHECK(shown(allow_policy(kId, sa, d)) == allow_policy(kId, sa, d));
    CHECK(shown(block_policy(kId, selectors_of(sa))) == block_policy(kId, selectors_of(sa)));
    sa = v6_child();
    CHECK(shown(allow_policy(kId, sa, PolicyDirection::Out)) == allow_policy(kId, sa, PolicyDirection::Out));
  }

  TEST_CASE("a policy that lets clear text pass is not the one that blocks") {
    const auto m = put_policy(block_policy(kId, selectors_of(gcm_child())));
    auto* h = nlmsg_hdr(m.get());
    h->nlmsg_type = XFRM_MSG_NEWPOLICY;
    static_cast<xfrm_userpolicy_info*>(nlmsg_data(h))->action = XFRM_POLICY_ALLOW;
    Policy p;
    REQUIRE(read_policy(h, p));
    CHECK(p.in_clear);
    CHECK(p != block_policy(kId, selectors_of(gcm_child())));
    CHECK(p.same_place(block_policy(kId, selectors_of(gcm_child()))));
  }

  TEST_CASE("a socket's own policy is none of ours, nor is a short message") {
    const auto m = put_policy(allow_policy(kId, gcm_child(), PolicyDirection::Out));
    auto* h = nlmsg_hdr(m.get());
    Policy p;
    CHECK(!read_policy(h, p));
    h->nlmsg_type = XFRM_MSG_NEWPOLICY;
    auto* info = static_cast<xfrm_userpolicy_info*>(nlmsg_data(h));
    info->dir = XFRM_POLICY_FWD + 1;
    CHECK(!read_policy(h, p));
    info->dir = XFRM_POLICY_OUT;
    h->nlmsg_len = NLMSG_LENGTH(sizeof *info - 1);
    CHECK(!read_policy(h, p));
  }

  TEST_CASE("IPv6 inside an IPv4 tunnel: the selectors are of the inner family, the template of the outer one") {
    ipsec::ChildSa sa = gcm_child();
    sa.local_ts = sa.remote_ts = {ip("::"), ip("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")};
    const auto m = put_policy(allow_policy(kId, sa, PolicyDirection::Out));
    CHECK(payload<xfrm_userpolicy_info>(m).sel.family == AF_INET6);
    CHECK(payload<xfrm_userpolicy_info>(m).sel.prefixlen_d == 0);
    CHECK(value<xfrm_user_tmpl>(attribute<xfrm_userpolicy_info>(m, XFRMA_TMPL)).family == AF_INET);
  }
}

}  // namespace
}  // namespace cgw::kernel::xfrm
