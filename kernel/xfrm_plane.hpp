#pragma once
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "kernel/data_plane.hpp"
#include "kernel/early_esp.hpp"
#include "kernel/xfrm_difference.hpp"
#include "kernel/xfrm_event.hpp"
#include "kernel/xfrm_table.hpp"

namespace cgw::kernel {

// ESP happens in the kernel: an xfrm interface, SAs and policies a tunnel, tied together by the if_id. All of it
// outlives this process on purpose; the next one adopts the interface and replaces the SAs.
class XfrmPlane final : public DataPlane {
 public:
  XfrmPlane(RequestSocket xfrm, RequestSocket route, xfrm::Events events);

  std::string_view name() const override { return "kernel"; }
  bool needs_udp_encap() const override { return false; }

  KernelResult<IfIndex> ensure_interface(const std::string& name, IfId id) override;
  KernelResult<void> remove_interface(const std::string& name, IfId id) override;
  KernelResult<void> expect_inbound(IfId id, const ipsec::InboundSpi& sa) override;
  KernelResult<void> install_inbound(IfId id, const ipsec::ChildSa& sa) override;
  KernelResult<void> use_outbound(IfId id, const ipsec::ChildSa& sa) override;
  KernelResult<void> remove_child(IfId id, ipsec::Spi spi_in, ipsec::Spi spi_out) override;
  KernelResult<void> remove_leftovers(IfId id) override;
  KernelResult<TunnelCounters> counters(IfId id) override;

  bool set_sa_settings(IfId id, const SaSettings& settings) override;
  std::optional<int> event_fd() const override { return events_.fd(); }
  std::vector<PlaneEvent> take_events() override;
  bool doubtful() const override { return doubtful_; }
  KernelResult<std::vector<PlaneEvent>> verify() override;

 private:
  // An SA of this process: where it is in the kernel, and its counters when last seen (the kernel drops an
  // expired SA with its counters).
  struct Installed {
    xfrm::SaName name;
    xfrm::SaInfo last = {};
    bool lost = false;
    std::optional<Endpoint> mapped = {};  // where the peer's packets come from, as told last
  };
  using Sas = std::map<ipsec::Spi, Installed>;

  struct Tunnel {
    Sas in, out;
    std::optional<ipsec::Spi> sending;
    std::vector<xfrm::Policy> policies;  // as they should be
    TunnelCounters retired;              // of SAs that are gone
    SaSettings settings;
    std::optional<EarlyEsp> early;
    bool settled = false;  // what an earlier process left is gone: whatever else is there is a stranger
  };

  KernelResult<void> install(IfId id, const ipsec::ChildSa& sa, xfrm::Direction d);
  KernelResult<void> add(IfId id, const ipsec::ChildSa& sa, xfrm::Direction d);
  KernelResult<void> update_own(IfId id, const ipsec::ChildSa& sa, xfrm::Direction d, const xfrm::SaOptions& options);
  KernelResult<void> put(const xfrm::Policy& policy);
  KernelResult<void> drop_other_policies(IfId id, const xfrm::Selectors& keep);
  KernelResult<void> look(Installed& sa);
  KernelResult<void> retire(Sas& from, ipsec::Spi spi, TunnelCounters& totals,
                            void (*add_counters)(TunnelCounters&, const xfrm::SaInfo&));
  void expect_gone(const SaExpired& e);
  bool is_news(const PeerMapped& m);
  KernelResult<xfrm::Difference> difference();
  void report_lost(const xfrm::Difference& found, std::vector<PlaneEvent>& events);
  KernelResult<void> repair(const xfrm::Difference& found, std::vector<PlaneEvent>& events);
  void say(IfId id, Level level, std::string text) { notes_.push_back({id, {level, std::move(text)}}); }

  RequestSocket xfrm_, route_;
  xfrm::Events events_;
  bool says_direction_;
  bool doubtful_ = false;
  std::map<IfId, Tunnel> tunnels_;
  std::vector<PlaneNote> notes_;  // for the next take_events()
  std::set<IfId> offload_refused_;
};

}  // namespace cgw::kernel
