// COUNT UPDATEs with random routes and attributes: a line each, its octets and what parse_update() reads in them as
// JSON, for somebody else's decoder to say what it reads.
#include <cstdlib>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "bgp/framing.hpp"
#include "tests/support/random_routes.hpp"

using namespace cgw;
using namespace cgw::bgp;

namespace {

std::string hex(Bytes b) {
  return fmt::format("{:02x}", fmt::join(b, ""));
}

template <class List, class Text>
std::string array(const List& list, Text text) {
  std::string out;
  for (const auto& item : list)
    out += (out.empty() ? "" : ",") + text(item);
  return "[" + out + "]";
}

std::string quoted(const std::string& s) {
  return '"' + s + '"';
}
std::string dotted(std::uint32_t id) {
  return quoted(IpAddress::v4(id).to_string());
}
std::string number(std::uint64_t n) {
  return std::to_string(n);
}
template <class T>
std::string number(const std::optional<T>& n) {
  return n ? number(*n) : "null";
}
std::string prefixes(const std::vector<Nlri>& routes) {
  return array(routes, [](const Nlri& n) { return quoted(n.prefix.to_string()); });
}

std::string path(const PathAttributes& a) {
  return array(a.as_path, [](const AsPathSegment& s) {
    return fmt::format("[{},{}]", static_cast<int>(s.type), array(s.asns, [](Asn n) { return number(n.value()); }));
  });
}

std::string attributes(const PathAttributes& a) {
  const auto large = [](const LargeCommunity& c) { return fmt::format("[{},{},{}]", c[0], c[1], c[2]); };
  const auto unknown = [](const UnknownAttribute& u) { return fmt::format("[{},{}]", u.type, quoted(hex(u.value))); };
  const auto u64 = [](std::uint64_t n) { return number(n); };
  return fmt::format(
      R"("origin":{},"as_path":{},"next_hop":{},"link_local":{},"med":{},"local_pref":{},"atomic":{},"aggregator":{},)"
      R"("communities":{},"extended":{},"large":{},"originator":{},"clusters":{},"otc":{},"unknown":{})",
      static_cast<int>(a.origin), path(a), quoted(a.next_hop.to_string()),
      a.link_local_next_hop ? quoted(a.link_local_next_hop->to_string()) : "null", number(a.med), number(a.local_pref),
      a.atomic_aggregate,
      a.aggregator ? fmt::format("[{},{}]", a.aggregator->first.value(), quoted(a.aggregator->second.to_string()))
                   : "null",
      array(a.communities, u64), array(a.extended_communities, u64), array(a.large_communities, large),
      a.originator_id ? dotted(a.originator_id->value()) : "null", array(a.cluster_list, dotted),
      a.only_to_customer ? number(a.only_to_customer->value()) : "null", array(a.unknown, unknown));
}

void print(const std::vector<std::uint8_t>& message, const UpdateContext& context) {
  const auto read = parse_update(Bytes(message).subspan(kHeaderOctets), context);
  if (!read || !read->findings.empty() || read->updates.size() != 1) std::abort();
  const Update& u = read->updates[0];
  fmt::print("{}\t{{\"withdrawn\":{},\"announced\":{}{}{}}}\n", hex(message), prefixes(u.withdrawn),
             prefixes(u.announced), u.attributes ? "," : "", u.attributes ? attributes(*u.attributes) : "");
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  test::RandomRoutes random(7);
  UpdateContext context;
  context.ebgp = false;
  context.local_as = context.remote_as = Asn{65000};
  context.families = {true, true};
  context.accept_as_sets = true;
  for (int i = std::atoi(argv[1]); i > 0; --i) {
    const Family f = random.one_in(2) ? Family::V4 : Family::V6;
    const auto routes = random.routes(f, false, random.one_in(10) ? 500 : 5);
    const auto messages = random.one_in(5) ? Result<Messages, std::string>(encode_withdraw(routes, f, context))
                                           : encode_announce(routes, f, random.attributes(f, context), context);
    if (messages) print(messages->front(), context);
  }
}
