// The kernel plane's own news, and the comparison of what the kernel holds with what it should.
#include <algorithm>

#include <fmt/format.h>

#include "base/overload.hpp"
#include "kernel/xfrm.hpp"
#include "kernel/xfrm_plane.hpp"

namespace cgw::kernel {

using xfrm::Policy;

std::vector<PlaneEvent> XfrmPlane::take_events() {
  std::vector<PlaneEvent> out;
  for (auto& note : std::exchange(notes_, {}))
    out.emplace_back(std::move(note));
  const auto visitor = Overload{
      [&](const xfrm::Changed&) { doubtful_ = true; },
      [&](const xfrm::SaWanted& w) { doubtful_ = doubtful_ || tunnels_.contains(w.id); },
      [&](const SaExpired& e) {
        if (!tunnels_.contains(e.id)) return;
        if (e.hard) expect_gone(e);
        out.emplace_back(e);
      },
      [&](const PeerMapped& m) {
        if (is_news(m)) out.emplace_back(m);
      },
  };
  for (const auto& e : events_.read())
    std::visit(visitor, e);
  return out;
}

// The kernel removed it, as it should: nothing that verify() has to report.
void XfrmPlane::expect_gone(const SaExpired& e) {
  Tunnel& t = tunnels_[e.id];
  for (Sas* side : {&t.in, &t.out}) {
    if (const auto it = side->find(e.spi); it != side->end()) it->second.lost = true;
  }
}

// The kernel repeats it for as long as packets come in that way.
bool XfrmPlane::is_news(const PeerMapped& m) {
  const auto t = tunnels_.find(m.id);
  if (t == tunnels_.end()) return false;
  const auto sa = t->second.in.find(m.spi);
  if (sa == t->second.in.end()) return false;
  return std::exchange(sa->second.mapped, m.remote) != m.remote;
}

KernelResult<xfrm::Difference> XfrmPlane::difference() {
  std::vector<xfrm::ExpectedSa> sas;
  std::vector<Policy> policies;
  std::vector<IfId> settled;
  for (const auto& [id, t] : tunnels_) {
    for (const Sas* side : {&t.in, &t.out}) {
      for (const auto& [spi, sa] : *side)
        sas.push_back({sa.name, id});
    }
    policies.insert(policies.end(), t.policies.begin(), t.policies.end());
    if (t.settled) settled.push_back(id);
  }
  const auto of_ours = [&](const auto& x) { return tunnels_.contains(x.id); };
  CGW_TRY(const auto sas_there, xfrm::list_sas(xfrm_, of_ours));
  CGW_TRY(const auto policies_there, xfrm::list_policies(xfrm_, of_ours));
  return xfrm::compare(sas, policies, sas_there, policies_there, settled);
}

KernelResult<std::vector<PlaneEvent>> XfrmPlane::verify() {
  doubtful_ = false;
  CGW_TRY(const auto found, difference());
  std::vector<PlaneEvent> events;
  report_lost(found, events);
  if (auto done = repair(found, events); !done) return fail(std::move(done).error());
  return events;
}

// Each once: from then on it is for IKE to negotiate another.
void XfrmPlane::report_lost(const xfrm::Difference& found, std::vector<PlaneEvent>& events) {
  for (const auto& lost : found.lost) {
    Tunnel& t = tunnels_[lost.id];
    for (Sas* side : {&t.in, &t.out}) {
      const auto it = side->find(lost.name.spi);
      if (it == side->end() || it->second.name != lost.name || std::exchange(it->second.lost, true)) continue;
      events.emplace_back(SaLost{.id = lost.id, .spi = lost.name.spi});
    }
  }
}

KernelResult<void> XfrmPlane::repair(const xfrm::Difference& found, std::vector<PlaneEvent>& events) {
  const auto warn = [&](IfId id, std::string text) {
    events.emplace_back(PlaneNote{id, {Level::Warning, "kernel: " + std::move(text)}});
  };
  for (const auto& p : found.wrong_policies) {
    if (auto done = put(p); !done) return done;
  }
  for (const auto& p : found.strange_policies) {
    if (auto done = remove_policy(xfrm_, p); !done) return done;
  }
  for (const auto& sa : found.strange_sas) {
    if (auto done = remove_sa(xfrm_, sa.name); !done) return done;
  }
  for (const auto& [id, t] : tunnels_) {
    const auto count = [own = id](const auto& list) {
      return std::ranges::count_if(list, [own](const auto& x) { return x.id == own; });
    };
    if (const auto n = count(found.wrong_policies); n > 0)
      warn(id, fmt::format("{} IPsec policies were gone or changed; put back", n));
    if (const auto n = count(found.strange_policies); n > 0)
      warn(id, fmt::format("{} IPsec policies with our if_id were somebody's; removed", n));
    if (const auto n = count(found.strange_sas); n > 0)
      warn(id, fmt::format("{} SAs with our if_id were somebody's; removed", n));
  }
  return {};
}

}  // namespace cgw::kernel
