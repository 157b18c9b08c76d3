#include "bgp/negotiated.hpp"

#include <algorithm>

#include "base/note.hpp"
#include "bgp/framing.hpp"

namespace cgw::bgp {

Negotiated negotiate(const Open& ours, const Open& theirs) {
  const Capabilities &us = ours.capabilities, &them = theirs.capabilities;
  Negotiated n;
  n.remote_as = theirs.asn;
  n.remote_router_id = theirs.router_id;
  // RFC 4271 4.2: "the smaller of its configured Hold Time and the Hold Time received in the OPEN message".
  n.hold_time = std::min(ours.hold_time, theirs.hold_time);
  for (const Family f : kFamilies) {
    // A speaker that names no family is one of before RFC 4760: it speaks IPv4 unicast.
    const bool theirs_too = them.any_multiprotocol ? them.families[f] : f == Family::V4;
    n.families[f] = us.families[f] && theirs_too;
    n.add_path_receive[f] =
        n.families[f] && includes(us.add_path[f], AddPath::Receive) && includes(them.add_path[f], AddPath::Send);
    n.add_path_send[f] =
        n.families[f] && includes(us.add_path[f], AddPath::Send) && includes(them.add_path[f], AddPath::Receive);
  }
  n.four_octet_as = us.four_octet_as && them.four_octet_as;
  n.route_refresh = them.route_refresh;
  n.enhanced_route_refresh = us.enhanced_route_refresh && them.enhanced_route_refresh;
  n.extended_messages = us.extended_messages && them.extended_messages;
  n.extended_next_hop = us.extended_next_hop && them.extended_next_hop;
  n.local_role = us.role;
  n.remote_role = them.role;
  if (us.graceful_restart && them.graceful_restart) {
    n.graceful_restart = them.graceful_restart;
    n.graceful_notification = us.graceful_restart->notification && them.graceful_restart->notification;
    for (const Family f : kFamilies) {
      if (us.long_lived[f]) n.long_lived[f] = them.long_lived[f];
    }
  }
  n.hostname = printable(them.hostname);
  n.domain = printable(them.domain);
  return n;
}

UpdateContext update_context(const Negotiated& n, Asn local_as, const IpAddress& local_address) {
  UpdateContext c;
  c.ebgp = local_as != n.remote_as;
  c.four_octet_as = n.four_octet_as;
  c.local_as = local_as;
  c.remote_as = n.remote_as;
  c.local_address = local_address;
  c.families = n.families;
  c.add_path_receive = n.add_path_receive;
  c.add_path_send = n.add_path_send;
  c.extended_next_hop = n.extended_next_hop;
  c.max_message = n.extended_messages ? kMaxExtendedMessage : kMaxMessage;
  return c;
}

}  // namespace cgw::bgp
