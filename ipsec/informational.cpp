// INFORMATIONAL (RFC 7296 1.4): liveness, DELETE, notifies.
#include <fmt/format.h>

#include "ipsec/peer_impl.hpp"

namespace cgw::ipsec {

/* --> INFORMATIONAL { [D] [N] }   <-- INFORMATIONAL { [D] } */
void IkePeer::Impl::on_informational_request(Context& cx, IkeSa& sa, const Payloads& payloads) {
  Payloads answer;
  bool delete_ike = false;
  std::vector<std::uint32_t> ours;
  std::vector<Spi> removed;
  for (const auto& p : payloads) {
    if (p.type != PayloadType::Delete) continue;
    const auto d = parse_delete(p.body);
    if (!d) return respond(cx, sa, Exchange::Informational, {make_notify(NotifyType::InvalidSyntax)});
    delete_ike = delete_ike || d->ike;
    for (const auto spi : d->spis) {
      // The peer names what it receives on: our outbound SPI (RFC 7296 3.11).
      Child* c = sa.child_out(Spi{spi});
      if (c == nullptr) continue;
      removed.push_back(c->sa.spi_in);
      // RFC 7296 1.4.1: of a pair that we are deleting ourselves, both sides forget without naming it again.
      const bool crossing =
          sa.request && sa.request->task.kind == TaskKind::DeleteChild && sa.request->task.spi_in == c->sa.spi_in;
      if (!crossing) ours.push_back(c->sa.spi_in.value());
    }
  }
  for (const auto spi : ours)
    answer.push_back(make_delete_esp(spi));
  respond(cx, sa, Exchange::Informational, answer);
  if (find_notify(payloads, NotifyType::AuthenticationFailed)) {
    return failed(cx, sa, explain(NotifyType::AuthenticationFailed, config), true);
  }
  if (delete_ike) {
    const bool was_in_use = sa.current() != nullptr;
    const bool replaced = sa.state == IkeSa::State::Deleting;
    drop(cx, sa);
    if (!was_in_use || replaced || current() != nullptr) return;
    moved_why = "the peer sent DELETE for the IKE SA";
    note(cx, Level::Info, moved_why);
    return connect_after(cx, false);
  }
  for (const Spi spi : removed)
    remove_child(cx, sa, spi);
  if (!removed.empty()) child_lost(cx, sa, "the peer sent DELETE for the Child SA");
}

void IkePeer::Impl::on_delete_response(Context& cx, IkeSa& sa, const Request& r) {
  if (r.task.kind == TaskKind::DeleteIke) return drop(cx, sa);
  remove_child(cx, sa, r.task.spi_in);
  child_lost(cx, sa, "the Child SA was deleted");
  pump(cx, sa);
}

}  // namespace cgw::ipsec
