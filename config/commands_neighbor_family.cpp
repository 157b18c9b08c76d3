// Rows of a neighbor within address-family ipv4 unicast; FRR's syntax and order.
#include <algorithm>

#include <fmt/format.h>

#include "config/rows.hpp"

namespace cgw::config {
namespace {

using Lines = std::vector<Rendered>;
using Done = Result<void, std::string>;

Result<NeighborFamily*, std::string> family(Config& c, const std::string& address) {
  const auto it = c.bgp->neighbors.find(*IpAddress::parse(address));
  if (it == c.bgp->neighbors.end()) return fail(std::string("% Specify remote-as or peer-group commands first"));
  return &it->second.ipv4;
}

template <bool NeighborFamily::*Flag>
Done set_flag(Config& c, Cursor&, const Args& a, bool negated) {
  CGW_TRY(NeighborFamily* const f, family(c, a[0]));
  f->*Flag = !negated;
  return {};
}

// NAME in|out; its 'no' form has both.
template <std::string NeighborFamily::*In, std::string NeighborFamily::*Out>
Done set_filter(Config& c, Cursor&, const Args& a, bool negated) {
  CGW_TRY(NeighborFamily* const f, family(c, a[0]));
  if (a.size() < 3) return fail(std::string("% Command incomplete: in or out is missing"));
  f->*(a[2] == "in" ? In : Out) = negated ? "" : a[1];
  return {};
}

Done set_allowas_in(Config& c, Cursor&, const Args& a, bool negated) {
  CGW_TRY(NeighborFamily* const f, family(c, a[0]));
  f->allowas_in.reset();
  if (!negated) f->allowas_in = static_cast<std::uint8_t>(a.size() > 1 ? to_number(a[1]) : 3);
  return {};
}
Done set_weight(Config& c, Cursor&, const Args& a, bool negated) {
  CGW_TRY(NeighborFamily* const f, family(c, a[0]));
  f->weight.reset();
  if (!negated) f->weight = static_cast<std::uint16_t>(to_number(a[1]));
  return {};
}
Done set_remove_private(Config& c, Cursor&, const Args& a, bool negated) {
  CGW_TRY(NeighborFamily* const f, family(c, a[0]));
  const bool all = std::ranges::find(a, "all") != a.end(), replace = std::ranges::find(a, "replace-AS") != a.end();
  using enum RemovePrivateAs;
  f->remove_private_as = negated ? No : (all ? (replace ? AllReplace : All) : (replace ? OnlyReplace : Only));
  return {};
}

// NEIGHBOR LIMIT [MINUTES]
Done set_maximum_prefix(Config& c, Cursor&, const Args& a, bool negated) {
  CGW_TRY(NeighborFamily* const f, family(c, a[0]));
  f->maximum_prefix.reset();
  if (negated) return {};
  f->maximum_prefix = MaximumPrefix{.limit = to_number(a[1]), .restart = std::nullopt};
  if (a.size() > 2) f->maximum_prefix->restart = static_cast<std::uint16_t>(to_number(a[2]));
  return {};
}

std::string words(const MaximumPrefix& m) {
  std::string out = fmt::format(" maximum-prefix {}", m.limit);
  if (m.restart) out += fmt::format(" restart {}", *m.restart);
  return out;
}

std::string_view words(RemovePrivateAs r) {
  switch (r) {
    case RemovePrivateAs::No: return "";
    case RemovePrivateAs::Only: return " remove-private-AS";
    case RemovePrivateAs::OnlyReplace: return " remove-private-AS replace-AS";
    case RemovePrivateAs::All: return " remove-private-AS all";
    case RemovePrivateAs::AllReplace: return " remove-private-AS all replace-AS";
  }
  return "";
}

void show_filters(const NeighborFamily& f, const auto& add) {
  const auto filter = [&](std::string_view what, const std::string& name, std::string_view way) {
    if (!name.empty()) add(fmt::format(" {} {} {}", what, name, way));
  };
  filter("prefix-list", f.prefix_list_in, "in");
  filter("prefix-list", f.prefix_list_out, "out");
  filter("route-map", f.route_map_in, "in");
  filter("route-map", f.route_map_out, "out");
  filter("filter-list", f.filter_list_in, "in");
  filter("filter-list", f.filter_list_out, "out");
}

Lines show_neighbors(const Config& c, const Cursor&) {
  Lines out;
  for (const auto& [address, n] : c.bgp->neighbors) {
    const NeighborFamily& f = n.ipv4;
    const std::string name = "neighbor " + address.to_string();
    const auto add = [&](std::string line) { out.push_back({name + line, {}}); };
    if (f.addpath_tx_all_paths) add(" addpath-tx-all-paths");
    if (f.route_reflector_client) add(" route-reflector-client");
    if (f.next_hop_self) add(" next-hop-self");
    if (f.remove_private_as != RemovePrivateAs::No) add(std::string(words(f.remove_private_as)));
    if (f.as_override) add(" as-override");
    if (f.default_originate) add(" default-originate");
    if (f.soft_reconfiguration_inbound) add(" soft-reconfiguration inbound");
    if (f.maximum_prefix) add(words(*f.maximum_prefix));
    if (f.allowas_in) add(*f.allowas_in == 3 ? " allowas-in" : fmt::format(" allowas-in {}", *f.allowas_in));
    if (f.weight) add(fmt::format(" weight {}", *f.weight));
    show_filters(f, add);
  }
  return out;
}

// A macro, since the compiler joins literals only.
#define CGW_NEIGHBOR_HELP "Specify neighbor router\nNeighbor address\n"
constexpr Command row(std::string_view pattern, std::string_view help, decltype(Command::apply) apply,
                      decltype(Command::render) render = nullptr) {
  return {.mode = Mode::RouterAf,
          .pattern = pattern,
          .help = help,
          .apply = apply,
          .render = render,
          .negatable = true,
          .key_values = 1};
}
constexpr Command filter_row(std::string_view pattern, std::string_view help, decltype(Command::apply) apply) {
  Command c = row(pattern, help, apply);
  c.key_values = 3;
  return c;
}

using F = NeighborFamily;
constexpr Command kRows[] = {
    row("neighbor A.B.C.D addpath-tx-all-paths", CGW_NEIGHBOR_HELP "Use addpath to advertise all paths to a neighbor",
        set_flag<&F::addpath_tx_all_paths>, show_neighbors),
    row("neighbor A.B.C.D allowas-in [(1-10)]",
        CGW_NEIGHBOR_HELP "Accept as-path with my AS present in it\nNumber of occurrences of AS number",
        set_allowas_in),
    row("neighbor A.B.C.D as-override",
        CGW_NEIGHBOR_HELP "Override ASNs in outbound updates if aspath equals remote-as", set_flag<&F::as_override>),
    row("neighbor A.B.C.D default-originate", CGW_NEIGHBOR_HELP "Originate default route to this neighbor",
        set_flag<&F::default_originate>),
    filter_row("neighbor A.B.C.D filter-list WORD {in|out}",
               CGW_NEIGHBOR_HELP "Establish BGP filters\nAS path access-list name\nIncoming or outgoing routes",
               set_filter<&F::filter_list_in, &F::filter_list_out>),
    row("neighbor A.B.C.D maximum-prefix (1-4294967295)",
        CGW_NEIGHBOR_HELP "Maximum number of prefix accept from this peer\nmaximum no. of prefix limit",
        set_maximum_prefix),
    row("neighbor A.B.C.D maximum-prefix (1-4294967295) restart (1-65535)",
        CGW_NEIGHBOR_HELP "Maximum number of prefix accept from this peer\nmaximum no. of prefix limit\nRestart bgp "
                          "connection after limit is exceeded\nRestart interval in minutes",
        set_maximum_prefix),
    row("neighbor A.B.C.D next-hop-self", CGW_NEIGHBOR_HELP "Disable the next hop calculation for this neighbor",
        set_flag<&F::next_hop_self>),
    filter_row("neighbor A.B.C.D prefix-list WORD {in|out}",
               CGW_NEIGHBOR_HELP "Filter updates to/from this neighbor\nName of a prefix list\nIncoming or outgoing "
                                 "updates",
               set_filter<&F::prefix_list_in, &F::prefix_list_out>),
    row("neighbor A.B.C.D remove-private-AS [all] [replace-AS]",
        CGW_NEIGHBOR_HELP "Remove private ASNs in outbound updates\nApply to all AS numbers\nReplace private ASNs with "
                          "our ASN in outbound updates",
        set_remove_private),
    filter_row("neighbor A.B.C.D route-map WORD {in|out}",
               CGW_NEIGHBOR_HELP "Apply route map to neighbor\nName of route map\nIncoming or outgoing routes",
               set_filter<&F::route_map_in, &F::route_map_out>),
    row("neighbor A.B.C.D route-reflector-client", CGW_NEIGHBOR_HELP "Configure a neighbor as Route Reflector client",
        set_flag<&F::route_reflector_client>),
    row("neighbor A.B.C.D soft-reconfiguration inbound",
        CGW_NEIGHBOR_HELP "Per neighbor soft reconfiguration\nAllow inbound soft reconfiguration for this neighbor",
        set_flag<&F::soft_reconfiguration_inbound>),
    row("neighbor A.B.C.D weight (0-65535)",
        CGW_NEIGHBOR_HELP "Set default weight for routes from this neighbor\ndefault "
                          "weight",
        set_weight),
};
#undef CGW_NEIGHBOR_HELP

}  // namespace

std::span<const Command> neighbor_family_rows() {
  return kRows;
}

}  // namespace cgw::config
