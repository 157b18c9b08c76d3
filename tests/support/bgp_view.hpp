#pragma once
#include <map>
#include <stdexcept>

#include "bgp/framing.hpp"
#include "bgp/ribs.hpp"

namespace cgw::test {

// What a neighbor knows after it has read what it was sent: every UPDATE must be clean under the rules we read others
// by.
class BgpView {
 public:
  explicit BgpView(const bgp::UpdateContext& context) : context_(context) {}

  void read(const bgp::Output& out) {
    framer_.push(out.octets);
    std::uint32_t messages = 0;
    for (auto frame = framer_.next(); frame && *frame; frame = framer_.next(), ++messages) {
      if ((*frame)->type == bgp::MessageType::RouteRefresh) {
        read_mark(bgp::RefreshKind{(*frame)->body[2]});
      } else {
        read_update((*frame)->body);
      }
    }
    if (messages != out.messages) throw std::runtime_error("a message is not whole");
  }
  const std::map<bgp::Nlri, bgp::PathAttributes>& routes() const { return routes_; }
  const bgp::PathAttributes* find(const char* prefix, std::uint32_t path_id = 0) const {
    const auto it = routes_.find({Prefix::parse(prefix).value(), path_id});
    return it == routes_.end() ? nullptr : &it->second;
  }
  std::uint32_t updates() const { return updates_; }
  std::uint32_t ends_of_rib() const { return ends_of_rib_; }
  // Where refreshes began and ended (RFC 7313): what did not come again in between is gone.
  std::uint32_t refreshes_begun() const { return begun_; }
  std::uint32_t refreshes_ended() const { return ended_; }

 private:
  void read_mark(bgp::RefreshKind kind) {
    if (kind == bgp::RefreshKind::Begin) {
      ++begun_;
      stale_ = routes_;
      return;
    }
    ++ended_;
    for (const auto& [n, a] : stale_)
      routes_.erase(n);
    stale_.clear();
  }
  void read_update(Bytes body) {
    ++updates_;
    const auto parsed = bgp::parse_update(body, context_);
    if (!parsed) throw std::runtime_error("an UPDATE of ours resets the session");
    if (!parsed->findings.empty()) throw std::runtime_error("an UPDATE of ours is not clean");
    for (const bgp::Update& u : parsed->updates) {
      ends_of_rib_ += u.end_of_rib ? 1U : 0U;
      for (const bgp::Nlri& n : u.withdrawn)
        routes_.erase(n);
      for (const bgp::Nlri& n : u.announced) {
        routes_[n] = *u.attributes;
        stale_.erase(n);
      }
    }
  }

  bgp::UpdateContext context_;
  bgp::Framer framer_;
  std::map<bgp::Nlri, bgp::PathAttributes> routes_, stale_;
  std::uint32_t begun_ = 0, ended_ = 0;
  std::uint32_t updates_ = 0, ends_of_rib_ = 0;
};

}  // namespace cgw::test
