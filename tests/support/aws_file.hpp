#pragma once
#include <stdexcept>
#include <string>
#include <string_view>

// AWS's customer gateway configuration, as it is downloaded; the keys are made up.
namespace cgw::test {

inline constexpr std::string_view kKey1 = "k3yOne.abcdefghijklmnop_qrstuvwx";
inline constexpr std::string_view kKey2 = "k3yTwo.abcdefghijklmnop_qrstuvwx";

struct AwsTunnel {
  std::string_view ours, theirs, our_inside, their_inside, key;
};
inline constexpr AwsTunnel kAwsTunnel1{"192.0.2.10", "203.0.113.10", "169.254.10.2", "169.254.10.1", kKey1};
inline constexpr AwsTunnel kAwsTunnel2{"192.0.2.10", "203.0.113.14", "169.254.11.2", "169.254.11.1", kKey2};

enum class AwsRouting : bool { Static, Bgp };

inline std::string aws_side(std::string_view element, std::string_view outside, std::string_view inside,
                            std::string_view asn) {
  const std::string name(element);
  std::string bgp;
  if (!asn.empty())
    bgp = "      <bgp>\n        <asn>" + std::string(asn) + "</asn>\n        <hold_time>30</hold_time>\n      </bgp>\n";
  return "    <" + name + ">\n      <tunnel_outside_address>\n        <ip_address>" + std::string(outside) +
         "</ip_address>\n      </tunnel_outside_address>\n      <tunnel_inside_address>\n        <ip_address>" +
         std::string(inside) +
         "</ip_address>\n        <network_mask>255.255.255.252</network_mask>\n        "
         "<network_cidr>30</network_cidr>\n      </tunnel_inside_address>\n" +
         bgp + "    </" + name + ">\n";
}

inline std::string aws_tunnel(const AwsTunnel& t, AwsRouting routing) {
  const bool bgp = routing == AwsRouting::Bgp;
  return "  <ipsec_tunnel>\n" + aws_side("customer_gateway", t.ours, t.our_inside, bgp ? "65000" : "") +
         aws_side("vpn_gateway", t.theirs, t.their_inside, bgp ? "64512" : "") + R"(    <ike>
      <authentication_protocol>sha1</authentication_protocol>
      <encryption_protocol>aes-128-cbc</encryption_protocol>
      <lifetime>28800</lifetime>
      <perfect_forward_secrecy>group2</perfect_forward_secrecy>
      <mode>main</mode>
      <pre_shared_key>)" +
         std::string(t.key) + R"(</pre_shared_key>
    </ike>
    <ipsec>
      <protocol>esp</protocol>
      <authentication_protocol>hmac-sha1-96</authentication_protocol>
      <encryption_protocol>aes-128-cbc</encryption_protocol>
      <lifetime>3600</lifetime>
      <perfect_forward_secrecy>group2</perfect_forward_secrecy>
      <mode>tunnel</mode>
      <clear_df_bit>true</clear_df_bit>
      <fragmentation_before_encryption>true</fragmentation_before_encryption>
      <tcp_mss_adjustment>1379</tcp_mss_adjustment>
      <dead_peer_detection>
        <interval>10</interval>
        <retries>3</retries>
      </dead_peer_detection>
    </ipsec>
  </ipsec_tunnel>
)";
}

inline std::string aws_file(AwsRouting routing, std::string_view gateway = "vgw-0ec8c63b5de573c46") {
  return "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<vpn_connection id=\"vpn-0159ce993cd96ff0c\">\n"
         "  <customer_gateway_id>cgw-06854f63a3c55c541</customer_gateway_id>\n  <vpn_gateway_id>" +
         std::string(gateway) + "</vpn_gateway_id>\n  <vpn_connection_type>ipsec.1</vpn_connection_type>\n" +
         (routing == AwsRouting::Static
              ? "  <vpn_connection_attributes>NoBGPVPNConnection</vpn_connection_attributes>\n"
              : "") +
         aws_tunnel(kAwsTunnel1, routing) + aws_tunnel(kAwsTunnel2, routing) + "</vpn_connection>\n";
}

// The text with its first `what` replaced; it must be there.
inline std::string replaced(std::string text, std::string_view what, std::string_view with) {
  const auto at = text.find(what);
  if (at == std::string::npos) throw std::logic_error("the test's text has no '" + std::string(what) + "'");
  return text.replace(at, what.size(), with);
}

}  // namespace cgw::test
