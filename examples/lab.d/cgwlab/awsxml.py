"""The file that AWS gives for download: CustomerGatewayConfiguration, with fresh keys and ids."""
import secrets
import string

from . import plan

_ALPHABET = string.ascii_letters + string.digits + "._"


def new_key():
    """32 of AWS's characters; the first is never '0'."""
    while True:
        key = "".join(secrets.choice(_ALPHABET) for _ in range(32))
        if key[0] != "0":
            return key


def new_id(kind):
    return f"{kind}-0{secrets.token_hex(8)}"


def customer_gateway_xml(options, keys):
    static = options.routing == "static"
    attributes = ("  <vpn_connection_attributes>NoBGPVPNConnection</vpn_connection_attributes>\n" if static else "")
    tunnels = "".join(_tunnel(options, number, keys[number], static) for number in plan.TUNNELS)
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<vpn_connection id="{new_id("vpn")}">
  <customer_gateway_id>{new_id("cgw")}</customer_gateway_id>
  <vpn_gateway_id>{new_id("vgw")}</vpn_gateway_id>
  <vpn_connection_type>ipsec.1</vpn_connection_type>
{attributes}{tunnels}</vpn_connection>
"""


def _tunnel(options, number, key, static):
    tunnel = options.tunnel(number)
    # Empty for a connection with certificates.
    key = f"      <pre_shared_key>{key}</pre_shared_key>\n" if key else ""
    ours = _side("customer_gateway", options.public_address, tunnel.inside_customer, plan.CUSTOMER_ASN, static)
    theirs = _side("vpn_gateway", tunnel.outside, tunnel.inside, plan.AWS_ASN, static)
    return f"""  <ipsec_tunnel>
{ours}{theirs}    <ike>
      <authentication_protocol>sha1</authentication_protocol>
      <encryption_protocol>aes-128-cbc</encryption_protocol>
      <lifetime>28800</lifetime>
      <perfect_forward_secrecy>group2</perfect_forward_secrecy>
      <mode>main</mode>
{key}    </ike>
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
"""


def _side(element, outside, inside, asn, static):
    bgp = "" if static else f"""      <bgp>
        <asn>{asn}</asn>
        <hold_time>30</hold_time>
      </bgp>
"""
    return f"""    <{element}>
      <tunnel_outside_address>
        <ip_address>{outside}</ip_address>
      </tunnel_outside_address>
      <tunnel_inside_address>
        <ip_address>{inside}</ip_address>
        <network_mask>255.255.255.252</network_mask>
        <network_cidr>30</network_cidr>
      </tunnel_inside_address>
{bgp}    </{element}>
"""
