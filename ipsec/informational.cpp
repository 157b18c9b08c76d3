// INFORMATIONAL (RFC 7296 1.4): liveness, DELETE, notifies.
#include <algorithm>

#include <fmt/format.h>

#include "ipsec/peer_impl.hpp"

namespace cgw::ipsec {

/* --> INFORMATIONAL { [D] [N] }   <-- INFORMATIONAL { [D] } */
void IkePeer::Impl::on_informational_request(Context& cx, IkeSa& sa, const Payloads& payloads) {
  Payloads answer;
  bool delete_ike = false;
  std::vector<Spi> removed;
  for (const auto& p : payloads) {
    if (p.type != PayloadType::Delete) continue;
    const auto d = parse_delete(p.body);
    if (!d) return refuse_as_malformed(cx, sa);
    delete_ike = delete_ike || d->ike;
    for (const auto spi : d->spis) {
      // The peer names what it receives on: our outbound SPI (RFC 7296 3.11). RFC 7296 2.25.1: "If a peer receives a
      // request to close a Child SA that does not exist, it SHOULD reply without a Delete payload."
      const Child* c = sa.child_out(Spi{spi});
      if (c == nullptr || std::ranges::find(removed, c->sa.spi_in) != removed.end()) continue;
      removed.push_back(c->sa.spi_in);
      // RFC 7296 2.25.1: "If a peer receives a request to close a Child SA that it is currently trying to close, it
      // SHOULD reply without a Delete payload".
      if (!sa.doing(TaskKind::DeleteChild, c->sa.spi_in)) answer.push_back(make_delete_esp(c->sa.spi_in.value()));
    }
  }
  respond(cx, sa, answer);
  on_invalid_spi(cx, sa, payloads);
  if (find_notify(payloads, NotifyType::AuthenticationFailed)) {
    return failed(cx, sa, explain(NotifyType::AuthenticationFailed, config), true);
  }
  if (sa.usable()) set_reauthentication(cx, sa, payloads);
  if (delete_ike) return on_delete_ike(cx, sa);
  for (const Spi spi : removed) {
    std::erase_if(sa.tasks, [&](const Task& t) { return t.spi_in == spi; });
    remove_child(cx, sa, spi);
  }
  if (!removed.empty()) child_lost(cx, sa, "the peer sent DELETE for the Child SA");
}

void IkePeer::Impl::on_delete_ike(Context& cx, IkeSa& sa) {
  // RFC 7296 2.8.2: "If the peer that did notice the simultaneous rekey gets the delete request from the other peer for
  // the old IKE SA, it knows that the other peer did not detect the simultaneous rekey, and the first peer can forget
  // its own rekey attempt."
  if (sa.doing(TaskKind::RekeyIke) && sa.request->rival) follow_rival(cx, sa, *sa.request->rival);
  const bool in_use = sa.usable();
  close(cx, sa);
  if (!in_use || current() != nullptr) return;
  moved_why = "the peer sent DELETE for the IKE SA";
  note(cx, Level::Info, moved_why);
  connect_after(cx, false);
}

// RFC 7296 3.10.1: the peer met a packet of ours whose SPI it does not know. Of the SA that we send with, a rekey
// tells: it replaces the SA, or is answered with CHILD_SA_NOT_FOUND.
void IkePeer::Impl::on_invalid_spi(Context& cx, IkeSa& sa, const Payloads& payloads) {
  const auto n = find_notify(payloads, NotifyType::InvalidSpi);
  if (!n) return;
  Reader spi(n->data);
  const Child* c = sa.child_out(Spi{spi.u32()});
  if (spi.done() && c != nullptr && !c->replaced) queue(cx, sa, {TaskKind::RekeyChild, c->sa.spi_in});
}

void IkePeer::Impl::on_delete_response(Context& cx, IkeSa& sa, const Request& r) {
  if (r.task.kind == TaskKind::DeleteIke) return drop(cx, sa);
  remove_child(cx, sa, r.task.spi_in);
  child_lost(cx, sa, "the Child SA was deleted");
  pump(cx, sa);
}

}  // namespace cgw::ipsec
