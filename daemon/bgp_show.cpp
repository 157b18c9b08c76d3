// Which tree a request is for.
#include <array>
#include <string_view>

#include <boost/json/object.hpp>

#include "base/note.hpp"
#include "daemon/bgp_tree.hpp"

namespace cgw {
namespace {

using Words = std::vector<std::string>;

Words words_of(std::string_view text) {
  Words out;
  while (!text.empty()) {
    const auto end = std::min(text.find(' '), text.size());
    if (end > 0) out.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

std::optional<bgp::NeighborId> neighbor_at(const bgp::Speaker& speaker, const IpAddress& address) {
  const auto& sources = speaker.ribs().sources();
  for (std::uint16_t n = 1; n < sources.size(); ++n)
    if (sources[n].path.address == address) return bgp::NeighborId{n};
  return std::nullopt;
}

std::optional<NeighborRoutesView> view_named(std::string_view word) {
  if (word == "advertised-routes") return NeighborRoutesView::Advertised;
  if (word == "received-routes") return NeighborRoutesView::Received;
  if (word == "filtered-routes") return NeighborRoutesView::Filtered;
  return std::nullopt;
}

boost::json::value neighbor_routes(const BgpView& v, Family f, const std::string& address, std::string_view what) {
  const auto parsed = IpAddress::parse(address);
  const auto n = parsed ? neighbor_at(v.speaker, *parsed) : std::nullopt;
  if (!n) return boost::json::object{{"warning", "No such neighbor in this view/vrf"}};
  if (const auto which = view_named(what)) return bgp_neighbor_routes_tree(v, f, *n, *which);
  return bgp_table_tree(v, f, n);
}

}  // namespace

//   show bgp table|prefix|neighbor ipv4|ipv6 [PREFIX | ADDRESS | ADDRESS WHICH]
Result<boost::json::value, std::string> show_bgp_routes(const BgpView& v, std::string_view request) {
  const Words w = words_of(request);
  const bool known = w.size() >= 4 && (w[3] == "ipv4" || w[3] == "ipv6");
  const Family f = known && w[3] == "ipv6" ? Family::V6 : Family::V4;
  if (known && w[2] == "table" && w.size() == 4) return bgp_table_tree(v, f);
  if (known && w[2] == "neighbor" && w.size() == 6) return neighbor_routes(v, f, w[4], w[5]);
  if (known && w[2] == "prefix" && w.size() == 5) {
    if (const auto p = Prefix::parse(w[4]); p && p->address.family() == f) return bgp_prefix_tree(v, *p);
    if (const auto a = IpAddress::parse(w[4]); a && a->family() == f) return bgp_prefix_tree(v, *a);
    return fail("% " + printable(w[4]) + " is no address or prefix of " + w[3]);
  }
  return fail("% Unknown command: " + printable(request));
}

}  // namespace cgw
