#include "kernel/fib.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include <fmt/format.h>

#include "base/overload.hpp"
#include "kernel/fib_message.hpp"
#include "kernel/fib_table.hpp"
#include "kernel/netlink_batch.hpp"

namespace cgw::kernel {
namespace {

constexpr std::size_t kErrorsTold = 64;

Message to_message(const fib::Op& op) {
  return std::visit(Overload{[](const fib::NexthopOp& o) {
                               return o.nexthop ? put_nexthop(o.id, *o.nexthop, o.put) : fib::delete_nexthop(o.id);
                             },
                             [](const fib::RouteOp& o) {
                               return o.nexthop_id != 0 ? put_route(o.prefix, o.nexthop_id, o.put)
                                                        : fib::delete_route(o.prefix, kRouteMetric);
                             },
                             [](const fib::FallbackOp& o) {
                               return o.fallback != fib::Fallback::None ? put_fallback(o.prefix, o.fallback, o.put)
                                                                        : fib::delete_route(o.prefix, kBlackholeMetric);
                             }},
                    op);
}

bool is_delete(const fib::Op& op) {
  return std::visit(Overload{[](const fib::NexthopOp& o) { return !o.nexthop; },
                             [](const fib::RouteOp& o) { return o.nexthop_id == 0; },
                             [](const fib::FallbackOp& o) { return o.fallback == fib::Fallback::None; }},
                    op);
}

// Not a fault of a repair: set_exit() follows when the interface is back.
bool waits_for_interface(const fib::Op& op, int errnum) {
  const auto* o = std::get_if<fib::NexthopOp>(&op);
  return o != nullptr && o->nexthop && o->nexthop->exit && (errnum == ENETDOWN || errnum == ENODEV);
}

std::string words(const fib::NexthopOp& o) {
  if (!o.nexthop) return fmt::format("RTM_DELNEXTHOP {}", o.id);
  if (o.nexthop->exit)
    return fmt::format("RTM_NEWNEXTHOP {} via {} interface {}", o.id, o.nexthop->exit->next_hop.to_string(),
                       o.nexthop->exit->interface.value());
  return fmt::format("RTM_NEWNEXTHOP {}{}", o.id, o.nexthop->blackhole ? " blackhole" : " group");
}

std::string words(const fib::RouteOp& o) {
  return fmt::format("{} {}", o.nexthop_id != 0 ? "RTM_NEWROUTE" : "RTM_DELROUTE", o.prefix.to_string());
}

std::string words(const fib::FallbackOp& o) {
  const bool put = o.fallback != fib::Fallback::None;
  return fmt::format("{} {} metric {}", put ? "RTM_NEWROUTE" : "RTM_DELROUTE", o.prefix.to_string(), kBlackholeMetric);
}

}  // namespace

struct Fib::Impl final : fib::Sink {
  explicit Impl(RequestSocket s) : socket(std::move(s)) {}

  void emit(fib::Op op) override {
    ++emitted;
    Message m = to_message(op);
    if (!m) {
      table.refused(op);
      return problem({ENOMEM, "netlink message", {}});
    }
    messages.push_back(std::move(m));
    ops.push_back(std::move(op));
    if (messages.size() == kBatchSize) flush();
  }

  void problem(KernelError error) override {
    if (errors.size() < kErrorsTold) errors.push_back(std::move(error));
    ++refusals;
  }

  void settle() override { flush(); }
  void flush();
  void refuse(const Refusal& r);
  FibErrors finish();
  KernelResult<void> read_nexthops();
  KernelResult<void> read_routes();

  RequestSocket socket;
  fib::Table table{Family::V4};
  std::vector<Message> messages;
  std::vector<fib::Op> ops;
  std::vector<KernelError> errors;
  std::size_t refusals = 0;
  std::size_t emitted = 0;
  bool tell_down = false;  // the caller has just said that the interface exists
  bool doubtful = false;   // the kernel holds something else than the table believes
};

void Fib::Impl::flush() {
  const auto refused = send_batch(socket, messages);
  if (refused) {
    for (const auto& r : *refused)
      refuse(r);
  } else {
    for (const auto& op : ops)
      table.refused(op);
    problem(refused.error());
    doubtful = true;
  }
  messages.clear();
  ops.clear();
}

void Fib::Impl::refuse(const Refusal& r) {
  const fib::Op& op = ops[r.index];
  if (is_delete(op) && (r.errnum == ESRCH || r.errnum == ENOENT)) return;  // gone already
  table.refused(op);
  KernelError e{r.errnum, std::visit([](const auto& o) { return words(o); }, op), r.detail};
  if (r.errnum == EEXIST && e.detail.empty()) e.detail = "another program holds it; remove its route or nexthop";
  if (waits_for_interface(op, r.errnum)) {
    --emitted;
    if (tell_down) problem(std::move(e));
    return;
  }
  problem(std::move(e));
  // A route fails so when its group is gone.
  doubtful = doubtful || std::holds_alternative<fib::NexthopOp>(op) || r.errnum == EINVAL || r.errnum == ENOENT;
}

// The kernel drops nexthop objects, groups and routes with an interface and tells nobody; the first
// request that meets the gap is refused. Then look, and do everything that is still to do, once.
FibErrors Fib::Impl::finish() {
  flush();
  if (std::exchange(doubtful, false)) {
    errors.clear();
    refusals = 0;
    if (auto read = read_nexthops(); read)
      table.repair(*this);
    else
      problem(std::move(read).error());
    flush();
    doubtful = false;
  }
  if (refusals > errors.size() && !errors.empty())
    errors.back().detail += fmt::format(" (and {} more)", refusals - errors.size());
  refusals = 0;
  return {std::exchange(errors, {})};
}

KernelResult<void> Fib::Impl::read_nexthops() {
  std::map<std::uint32_t, fib::Nexthop> seen;
  auto done = consistent_dump(
      socket, fib::dump_nexthops, 0, "RTM_GETNEXTHOP", [&] { seen.clear(); },
      [&](nlmsghdr* h) {
        if (auto n = fib::read_nexthop(h)) seen[n->id] = std::move(n->nexthop);
      });
  if (!done) return done;
  table.nexthops_seen(std::move(seen));
  return {};
}

KernelResult<void> Fib::Impl::read_routes() {
  std::vector<fib::RouteInfo> seen;
  for (const int family : {AF_INET, AF_INET6}) {
    const std::size_t before = seen.size();
    auto done = consistent_dump(
        socket, fib::dump_routes, family, "RTM_GETROUTE", [&] { seen.resize(before); },
        [&](nlmsghdr* h) {
          if (auto r = fib::read_route(h)) seen.push_back(std::move(*r));
        });
    if (!done && family == AF_INET) return done;  // IPv6 may be missing
  }
  table.forget_routes();
  for (const auto& r : seen)
    table.route_seen(r);
  return {};
}

Fib::Fib(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Fib::~Fib() = default;
Fib::Fib(Fib&&) noexcept = default;
Fib& Fib::operator=(Fib&&) noexcept = default;

KernelResult<Fib> Fib::open() {
  CGW_TRY(auto socket, open_batch_socket());
  auto impl = std::make_unique<Impl>(std::move(socket));
  if (auto read = impl->read_nexthops(); !read) return fail(std::move(read).error());
  if (auto read = impl->read_routes(); !read) return fail(std::move(read).error());
  return Fib(std::move(impl));
}

void Fib::set_when_down(WhenDown w) {
  impl_->table.set_when_down(w);
}

FibErrors Fib::set_exit(rib::ExitId exit, const ExitState& state) {
  if (auto read = impl_->read_nexthops(); !read) impl_->problem(std::move(read).error());
  impl_->tell_down = true;
  impl_->table.set_exit(exit, state, *impl_);
  auto errors = impl_->finish();
  impl_->tell_down = false;
  return errors;
}

FibErrors Fib::exit_gone(rib::ExitId exit) {
  impl_->table.exit_gone(exit, *impl_);
  return impl_->finish();
}

FibErrors Fib::apply(const rib::PlanChanges& changes) {
  impl_->table.apply(changes, *impl_);
  return impl_->finish();
}

FibErrors Fib::sweep() {
  impl_->table.sweep(*impl_);
  return impl_->finish();
}

KernelResult<std::size_t> Fib::resync() {
  if (auto read = impl_->read_nexthops(); !read) return fail(std::move(read).error());
  if (auto read = impl_->read_routes(); !read) return fail(std::move(read).error());
  impl_->emitted = 0;
  impl_->table.repair(*impl_);
  auto left = impl_->finish();
  if (!left.errors.empty()) return fail(std::move(left.errors.front()));
  return impl_->emitted;
}

std::size_t Fib::routes() const {
  return impl_->table.held_routes();
}

std::optional<std::uint32_t> Fib::nexthop_id(rib::GroupId group) const {
  return impl_->table.nexthop_id(group);
}

}  // namespace cgw::kernel
